/* The scan of a plain JPEG to planes of samples, for the units that a window needs. */
#ifndef TORCHBENCH_JPEG_SCAN_H
#define TORCHBENCH_JPEG_SCAN_H

#include "_jpeg_huffman.h"
#include "_jpeg_idct.h"

#define READ_AHEAD 4096        /* more than one unit's bits: they may end early, and are checked after each unit */
#define BLOCKS_TOGETHER 48     /* of which a unit has at most six */
#define MANY_UNITS (1 << 17)   /* from here on differences could add up to what libjpeg refuses: nothing is left out */
#define SURE_MAGNITUDE 2100    /* sums of |coefficient| under which no method of computing clips between its passes */
#define MOST_MAGNITUDE 5800    /* and over which libjpeg's 16-bit vectors may */

typedef struct {
    int left, top, right, bottom;
} Area;

typedef struct {
    uint8_t *samples; /* of the window's units */
    size_t stride;
    int left, top, width, height; /* first sample, and samples there are, in the whole component */
} Plane;

typedef int BlockReader(Bits *bits, const Codes *dc_codes, const Codes *ac_codes, int *dc, int16_t *block);

typedef struct {
    const Jpeg *jpeg;
    int unit_width, unit_height, units_across, units_down;
    Area units; /* that the window needs */
    Plane plane[3];
    int16_t steps[3][64]; /* in natural order */
    const Codes *dc[3], *ac[3];
    uint8_t *bytes;      /* the scan without stuffing */
    size_t *segment_end; /* in `bytes`, of each restart interval */
    size_t segments;
    int vectors;         /* whether the processor has AVX2 and BMI2 */
    BlockReader *keep_block, *skip_block;
} Scan;

static size_t restarts(const Jpeg *jpeg, size_t units) {
    size_t interval = jpeg->restart_interval;
    return interval ? (units + interval - 1) / interval : 1;
}

/* Copies a scan of `units` units without stuffed zeros. Gives the marker that ends it, at `*end`; 0 where there is
 * none, or where the restarts are not those that belong there. */
static int unstuff(Scan *scan, size_t units, const uint8_t **end) {
    const uint8_t *from = scan->jpeg->scan;
    size_t expected = restarts(scan->jpeg, units), size = 0;
    for (scan->segments = 0;;) {
        const uint8_t *marker = memchr(from, 0xFF, scan->jpeg->end - from);
        if (!marker || marker + 1 >= scan->jpeg->end) return 0;
        memcpy(scan->bytes + size, from, marker - from);
        size += marker - from;
        from = marker + 2;
        if (marker[1] == 0) {
            scan->bytes[size++] = 0xFF;
            continue;
        }
        if (scan->segments == expected) return 0;
        scan->segment_end[scan->segments++] = size;
        *end = marker;
        if (marker[1] < 0xD0 || marker[1] > 0xD7) break;
        if (marker[1] != 0xD0 + (scan->segments - 1) % 8) return 0;
    }
    memset(scan->bytes + size, 0, READ_AHEAD);
    return scan->segments == expected ? (*end)[1] : 0;
}

static void begin_segment(const Scan *scan, size_t segment, Bits *bits, int *dc) {
    bits->next = scan->bytes + (segment ? scan->segment_end[segment - 1] : 0);
    bits->word = 0;
    bits->count = 0;
    dc[0] = dc[1] = dc[2] = 0;
}

/* Bits of a segment that are not read yet; negative after reading too far. */
static int64_t bits_left(const Scan *scan, size_t segment, const Bits *bits) {
    const uint8_t *end = scan->bytes + scan->segment_end[segment];
    return 8 * (int64_t)(end - bits->next) + bits->count;
}

static int finish_block(
    int16_t *block, int used, const int16_t *steps, int vectors, uint8_t *out, size_t stride) {
    int magnitude;
    (void)vectors;
    if (used == 1) {
        magnitude = block[0] * steps[0];
        if (magnitude > -SURE_MAGNITUDE && magnitude < SURE_MAGNITUDE) {
            idct_flat(magnitude, out, stride);
            return 1;
        }
    }
#ifdef JPEG_AVX2
    magnitude = vectors ? dequantise_avx2(block, steps) : dequantise_scalar(block, steps);
    if (vectors && magnitude < SURE_MAGNITUDE) {
        idct_avx2(block, out, stride);
        return 1;
    }
#else
    magnitude = dequantise_scalar(block, steps);
#endif
    return magnitude <= MOST_MAGNITUDE && idct_scalar(block, out, stride) < 512;
}

/* Blocks on their way from bits to samples. A vector that is read right after it was written in small pieces waits
 * for all of them, so the blocks of several units are read before the first one is transformed. */
typedef struct {
    int16_t block[BLOCKS_TOGETHER][80]; /* 64 and NOWHERE */
    int used[BLOCKS_TOGETHER];
    int count;
    int first_unit; /* its column */
} Batch;

/* Reads one unit, into `batch` where it is kept; 0 where its bits are not valid. */
static ALWAYS_INLINE int read_unit(const Scan *scan, Bits *bits, int *dc, Batch *batch, int keep) {
    for (int c = 0; c < scan->jpeg->components; c++) {
        int blocks = scan->jpeg->component[c].across * scan->jpeg->component[c].down;
        for (int b = 0; b < blocks; b++) {
            int16_t *block = keep ? batch->block[batch->count] : NULL;
            if (keep) memset(block, 0, 64 * sizeof *block);
            BlockReader *read = keep ? scan->keep_block : scan->skip_block;
            int used = read(bits, scan->dc[c], scan->ac[c], &dc[c], block);
            if (!used || dc[c] < -32767 || dc[c] > 32767) return 0;
            if (!keep) continue;
            block[0] = (int16_t)dc[c];
            batch->used[batch->count++] = used;
        }
    }
    return 1;
}

/* Transforms the units of a batch, which lie in row `y`, into the planes; 0 where a block is out of bounds. */
static int finish_batch(const Scan *scan, Batch *batch, int y) {
    int done = 0;
    for (int x = batch->first_unit; done < batch->count; x++) {
        for (int c = 0; c < scan->jpeg->components; c++) {
            const Component *component = &scan->jpeg->component[c];
            const Plane *plane = &scan->plane[c];
            for (int b = 0; b < component->across * component->down; b++, done++) {
                int column = 8 * (x * component->across + b % component->across) - plane->left;
                int row = 8 * (y * component->down + b / component->across) - plane->top;
                uint8_t *out = plane->samples + row * plane->stride + column;
                if (!finish_block(batch->block[done], batch->used[done], scan->steps[c], scan->vectors, out,
                                  plane->stride)) {
                    return 0;
                }
            }
        }
    }
    batch->count = 0;
    return 1;
}

typedef struct {
    Bits bits;
    int dc[3];
    size_t segment;
    int until_restart;
} Position;

/* Row `y` of the units; 0 where anything is not as it should be. */
static int read_row(const Scan *scan, Position *at, Batch *batch, int y) {
    Bits bits = at->bits;
    int row_kept = y >= scan->units.top && y < scan->units.bottom;
    for (int x = 0; x < scan->units_across; x++) {
        if (at->until_restart-- == 0) {
            if (bits_left(scan, at->segment, &bits) >= 8) return 0;
            begin_segment(scan, ++at->segment, &bits, at->dc);
            at->until_restart = scan->jpeg->restart_interval - 1;
        }
        int kept = row_kept && x >= scan->units.left && x < scan->units.right;
        if (kept && batch->count == 0) batch->first_unit = x;
        if (!(kept ? read_unit(scan, &bits, at->dc, batch, 1) : read_unit(scan, &bits, at->dc, batch, 0))) return 0;
        if (bits_left(scan, at->segment, &bits) < 0) return 0;
        if (batch->count + 6 > BLOCKS_TOGETHER && !finish_batch(scan, batch, y)) return 0;
    }
    at->bits = bits;
    return finish_batch(scan, batch, y);
}

/* A sequential image, down to the window's last unit; 0 where anything is not as it should be. */
static int read_sequential(Scan *scan) {
    const uint8_t *end;
    if (unstuff(scan, (size_t)scan->units_across * scan->units_down, &end) != 0xD9) return 0;
    int few = (int64_t)scan->units_across * scan->units_down < MANY_UNITS;
    int rows = few ? scan->units.bottom : scan->units_down;
    Batch batch = {.count = 0};
    Position at = {.until_restart = scan->jpeg->restart_interval ? scan->jpeg->restart_interval : -1};
    begin_segment(scan, 0, &at.bits, at.dc);
    for (int y = 0; y < rows; y++) {
        if (!read_row(scan, &at, &batch, y)) return 0;
    }
    return rows < scan->units_down || bits_left(scan, at.segment, &at.bits) < 8;
}

#endif
