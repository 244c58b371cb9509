/* The scans of a progressive JPEG: coefficients of the whole image grow bit by bit, and are transformed at the end. */
#ifndef TORCHBENCH_JPEG_PROGRESSIVE_H
#define TORCHBENCH_JPEG_PROGRESSIVE_H

#include "_jpeg_scan.h"

#define MOST_PROGRESSIVE_BYTES (1 << 27) /* larger images are left to others */

typedef struct {
    int16_t *values;          /* 64 of each block, in natural order */
    uint64_t *filled;         /* of each block, which are not zero, in zigzag order */
    int stored_across;        /* blocks in a row, units filled up */
    int own_across, own_down; /* blocks that hold samples of the image: a scan of this component alone has no more */
    int8_t missing[64];       /* of each coefficient, in zigzag order, the bits still to come; -1 before the first */
} Coefficients;

typedef struct {
    int16_t *values;
    uint64_t *filled;
} Block;

typedef struct {
    Bits bits;
    int dc[3];
    int end_run; /* blocks of the selection that are known to be at their end */
} Pass;

static ALWAYS_INLINE Block block_at(const Coefficients *c, int x, int y) {
    size_t block = (size_t)y * c->stored_across + x;
    return (Block){c->values + 64 * block, c->filled + block};
}

static size_t blocks_of(const Scan *scan, int c) {
    const Component *component = &scan->jpeg->component[c];
    return (size_t)scan->units_across * scan->units_down * component->across * component->down;
}

#define BLOCK_BYTES (64 * sizeof(int16_t) + sizeof(uint64_t))

/* Bytes for all coefficients of a progressive image. */
static size_t progressive_bytes(const Scan *scan) {
    size_t blocks = 0;
    for (int c = 0; c < scan->jpeg->components; c++) blocks += blocks_of(scan, c);
    return scan->jpeg->progressive ? blocks * BLOCK_BYTES : 0;
}

/* The next code's entry, whose value, if any, is still to be consumed; 27 and more bits are at hand. */
static ALWAYS_INLINE uint32_t next_code(Bits *bits, const Codes *codes, int is_ac) {
    refill(bits);
    uint32_t entry = codes->lookup[bits->word >> (64 - LOOKUP_BITS)];
    return entry & LONG ? long_entry(codes, bits->word, is_ac) : entry;
}

static ALWAYS_INLINE int next_bits(Bits *bits, int count) {
    if (bits->count < 32) refill(bits);
    int value = (int)(bits->word >> 1 >> (63 - count));
    consume(bits, count);
    return value;
}

static ALWAYS_INLINE int read_first_dc(Pass *pass, const Scan *scan, const Selection *s, int c, int16_t *block) {
    if (s->high) {
        block[0] = (int16_t)(block[0] | next_bits(&pass->bits, 1) << s->low);
        return 1;
    }
    uint32_t entry = next_code(&pass->bits, scan->dc[c], 0);
    if (entry & INVALID) return 0;
    pass->dc[c] += value_of(pass->bits.word, entry);
    consume(&pass->bits, entry & 63);
    if (pass->dc[c] < -32767 || pass->dc[c] > 32767) return 0;
    int value = pass->dc[c] * (1 << s->low);
    block[0] = (int16_t)value;
    return value >= -32767 && value <= 32767;
}

/* How many blocks, this one included, have no more of the selection. */
static ALWAYS_INLINE int read_end_run(Pass *pass, uint32_t entry) {
    int size = entry >> 24 & 15;
    consume(&pass->bits, entry & 63);
    return (1 << size) + next_bits(&pass->bits, size);
}

static ALWAYS_INLINE int read_first_ac(Pass *pass, const Codes *codes, const Selection *s, Block block) {
    if (pass->end_run > 0) {
        pass->end_run--;
        return 1;
    }
    for (int k = s->first; k <= s->last; k++) {
        uint32_t entry = next_code(&pass->bits, codes, 1);
        if (entry & INVALID) return 0;
        if (entry & END) {
            pass->end_run = read_end_run(pass, entry) - 1;
            return 1;
        }
        int value = value_of(pass->bits.word, entry) * (1 << s->low);
        consume(&pass->bits, entry & 63);
        k += entry >> 24 & 15;
        if (k > s->last || value < -32767 || value > 32767) return 0;
        block.values[zigzag[k]] = (int16_t)value;
        *block.filled |= (uint64_t)(value != 0) << k;
    }
    return 1;
}

/* Adds the next bits to the coefficients `places`: a zero, or one more in magnitude, without a branch to guess. */
static ALWAYS_INLINE void refine(Pass *pass, int low, int16_t *values, uint64_t places) {
    for (; places; places &= places - 1) {
        int16_t *value = &values[zigzag[__builtin_ctzll(places)]];
        int more = next_bits(&pass->bits, 1) << low, sign = *value >> 15;
        *value = (int16_t)(*value + ((more ^ sign) - sign));
    }
}

/* Places from `begin` on, up to and without `end`. */
static ALWAYS_INLINE uint64_t places_between(int begin, int end) {
    uint64_t below_end = end > 63 ? ~(uint64_t)0 : ((uint64_t)1 << end) - 1;
    return begin > 63 ? 0 : below_end >> begin << begin;
}

/* The place of the zero with number `zeros` (from 0 on) of a block from `k` on; 64 where it has fewer. */
static ALWAYS_INLINE int place_of_zero(uint64_t filled, int k, int zeros) {
    uint64_t empty = ~filled & places_between(k, 64);
    while (zeros--) empty &= empty - 1;
    return empty ? __builtin_ctzll(empty) : 64;
}

static ALWAYS_INLINE int read_more_ac(Pass *pass, const Codes *codes, const Selection *s, Block block) {
    int k = s->first;
    while (pass->end_run == 0 && k <= s->last) {
        uint32_t entry = next_code(&pass->bits, codes, 1);
        int size = entry >> 16 & 255;
        if (entry & INVALID || size > 1) return 0;
        if (entry & END) {
            pass->end_run = read_end_run(pass, entry);
            break;
        }
        int value = value_of(pass->bits.word, entry) * (1 << s->low);
        consume(&pass->bits, entry & 63);
        int place = place_of_zero(*block.filled, k, entry >> 24 & 15);
        if (place > s->last) {
            if (size) return 0;
            place = s->last; /* fewer zeros than the code says: all that is left is refined */
        }
        refine(pass, s->low, block.values, *block.filled & places_between(k, place + 1));
        if (size) {
            block.values[zigzag[place]] = (int16_t)value;
            *block.filled |= (uint64_t)1 << place;
        }
        k = place + 1;
    }
    if (pass->end_run > 0) {
        refine(pass, s->low, block.values, *block.filled & places_between(k, s->last + 1));
        pass->end_run--;
    }
    return 1;
}

static ALWAYS_INLINE int read_selected(Pass *pass, const Scan *scan, int c, Block block) {
    const Selection *s = &scan->jpeg->selection;
    if (s->first == 0) return read_first_dc(pass, scan, s, c, block.values);
    return s->high ? read_more_ac(pass, scan->ac[c], s, block) : read_first_ac(pass, scan->ac[c], s, block);
}

/* Unit `x`, `y` of a scan: blocks of all its components, or one block of its only one. */
static ALWAYS_INLINE int read_selected_unit(Pass *pass, const Scan *scan, const Coefficients *all, int x, int y) {
    const Selection *s = &scan->jpeg->selection;
    if (s->components == 1) return read_selected(pass, scan, s->component[0], block_at(&all[s->component[0]], x, y));
    for (int j = 0; j < s->components; j++) {
        int c = s->component[j], across = scan->jpeg->component[c].across, down = scan->jpeg->component[c].down;
        for (int b = 0; b < across * down; b++) {
            Block block = block_at(&all[c], x * across + b % across, y * down + b / across);
            if (!read_selected(pass, scan, c, block)) return 0;
        }
    }
    return 1;
}

static ALWAYS_INLINE int read_all_selected(
    const Scan *scan, const Coefficients *all, int units_across, int units_down) {
    Pass pass = {.end_run = 0};
    size_t segment = 0;
    int until_restart = scan->jpeg->restart_interval ? scan->jpeg->restart_interval : -1;
    begin_segment(scan, 0, &pass.bits, pass.dc);
    for (int y = 0; y < units_down; y++) {
        for (int x = 0; x < units_across; x++) {
            if (until_restart-- == 0) {
                if (bits_left(scan, segment, &pass.bits) >= 8) return 0;
                begin_segment(scan, ++segment, &pass.bits, pass.dc);
                pass.end_run = 0;
                until_restart = scan->jpeg->restart_interval - 1;
            }
            if (!read_selected_unit(&pass, scan, all, x, y)) return 0;
            if (bits_left(scan, segment, &pass.bits) < 0) return 0;
        }
    }
    return bits_left(scan, segment, &pass.bits) < 8;
}

static int read_selected_units_scalar(const Scan *scan, const Coefficients *all, int across, int down) {
    return read_all_selected(scan, all, across, down);
}

#ifdef JPEG_AVX2
static JPEG_AVX2 int read_selected_units_avx2(const Scan *scan, const Coefficients *all, int across, int down) {
    return read_all_selected(scan, all, across, down);
}
#endif

/* Whether the selection is what comes next; libjpeg puts up with others, with a warning. */
static int select_next(const Scan *scan, Coefficients *all) {
    const Selection *s = &scan->jpeg->selection;
    for (int j = 0; j < s->components; j++) {
        int8_t *missing = all[s->component[j]].missing;
        if (s->first > 0 && missing[0] < 0) return 0;
        for (int k = s->first; k <= s->last; k++) {
            if (s->high ? missing[k] != s->high : missing[k] >= 0) return 0;
            missing[k] = (int8_t)s->low;
        }
    }
    return 1;
}

static void begin_coefficients(const Scan *scan, Coefficients *all, uint8_t *memory) {
    memset(memory, 0, progressive_bytes(scan));
    for (int c = 0; c < scan->jpeg->components; c++) {
        const Component *component = &scan->jpeg->component[c];
        all[c].values = (int16_t *)memory;
        memory += 64 * sizeof(int16_t) * blocks_of(scan, c);
        all[c].filled = (uint64_t *)memory;
        memory += sizeof(uint64_t) * blocks_of(scan, c);
        all[c].stored_across = scan->units_across * component->across;
        all[c].own_across = (scan->plane[c].width + 7) / 8;
        all[c].own_down = (scan->plane[c].height + 7) / 8;
        memset(all[c].missing, -1, sizeof all[c].missing);
    }
}

static int all_complete(const Scan *scan, const Coefficients *all) {
    for (int c = 0; c < scan->jpeg->components; c++) {
        for (int k = 0; k < 64; k++) {
            if (all[c].missing[k] != 0) return 0; /* libjpeg would smooth over what is missing */
        }
    }
    return 1;
}

/* Transforms the blocks of the window's units. */
static int finish_coefficients(const Scan *scan, const Coefficients *all) {
    for (int c = 0; c < scan->jpeg->components; c++) {
        const Plane *plane = &scan->plane[c];
        int columns = (int)plane->stride / 8, left = plane->left / 8, top = plane->top / 8;
        int rows = scan->jpeg->component[c].down * (scan->units.bottom - scan->units.top);
        for (int y = 0; y < rows; y++) {
            uint8_t *out = plane->samples + 8 * (size_t)y * plane->stride;
            for (int x = 0; x < columns; x++) {
                int16_t *block = block_at(&all[c], left + x, top + y).values;
                if (!finish_block(block, 64, scan->steps[c], scan->vectors, out + 8 * x, plane->stride)) return 0;
            }
        }
    }
    return 1;
}

#endif
