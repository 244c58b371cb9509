/* A window of a plain JPEG to RGB: what is needed is planned, decoded, enlarged and converted. */
#ifndef TORCHBENCH_JPEG_DECODE_H
#define TORCHBENCH_JPEG_DECODE_H

#ifndef __GNUC__
#error "written for GCC and Clang; without this module other decoders do the work"
#endif

#include "_jpeg_colour.h"
#include "_jpeg_progressive.h"

static int has_vectors(void) {
#ifdef JPEG_AVX2
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
#else
    return 0;
#endif
}

#ifdef JPEG_AVX2
#define CHOSEN(name) (scan->vectors ? name##_avx2 : name##_scalar)
#else
#define CHOSEN(name) name##_scalar
#endif

/* Memory that outlives an image: fresh pages cost as much as decoding. Code tables are kept too, as most files use
 * the same ones. All zero at first. */
typedef struct {
    uint8_t *memory;
    size_t size;
    CodeBook books[2][4];
    Codes codes[2][4];
} Workspace;

static int workspace_grow(Workspace *space, size_t size) {
    if (space->size >= size) return 1;
    free(space->memory);
    space->memory = malloc(size);
    space->size = space->memory ? size : 0;
    return space->memory != NULL;
}

static const Codes *workspace_codes(Workspace *space, const CodeBook *book, int is_ac, int index) {
    if (memcmp(&space->books[is_ac][index], book, sizeof *book)) {
        space->books[is_ac][index] = *book;
        build_codes(&space->codes[is_ac][index], book, is_ac);
    }
    return &space->codes[is_ac][index];
}

static int at_least(int a, int b) { return a > b ? a : b; }
static int at_most(int a, int b) { return a < b ? a : b; }

/* Which units the window needs: enlarging chroma looks one sample further on each side. */
static void plan_units(Scan *scan, const Jpeg *jpeg, Area window) {
    int across = jpeg->component[0].across, down = jpeg->component[0].down;
    int width = 8 * across, height = 8 * down;
    scan->jpeg = jpeg;
    scan->unit_width = width, scan->unit_height = height;
    scan->units_across = (jpeg->width + width - 1) / width;
    scan->units_down = (jpeg->height + height - 1) / height;
    scan->units.left = at_least(0, window.left - 2 * (across - 1)) / width;
    scan->units.top = at_least(0, window.top - 2 * (down - 1)) / height;
    scan->units.right = (at_most(jpeg->width, window.right + 2 * (across - 1)) + width - 1) / width;
    scan->units.bottom = (at_most(jpeg->height, window.bottom + 2 * (down - 1)) + height - 1) / height;
}

static void plan_plane(Scan *scan, int c) {
    const Component *luma = &scan->jpeg->component[0], *component = &scan->jpeg->component[c];
    Plane *plane = &scan->plane[c];
    plane->left = 8 * component->across * scan->units.left;
    plane->top = 8 * component->down * scan->units.top;
    plane->stride = 8 * (size_t)component->across * (scan->units.right - scan->units.left);
    plane->width = (scan->jpeg->width * component->across + luma->across - 1) / luma->across;
    plane->height = (scan->jpeg->height * component->down + luma->down - 1) / luma->down;
}

static size_t plane_bytes(const Scan *scan, int c) {
    return scan->plane[c].stride * 8 * scan->jpeg->component[c].down * (scan->units.bottom - scan->units.top);
}

static size_t rounded(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* Two rows of chroma as wide as the image, and their sums; each with room at both ends. */
static size_t line_bytes(const Scan *scan) { return rounded(4 * (scan->plane[0].stride + 128)); }

/* Room for the ends of every restart interval of any scan: at most one a block. */
static size_t end_bytes(const Scan *scan) {
    const Component *luma = &scan->jpeg->component[0];
    size_t blocks = (size_t)scan->units_across * scan->units_down * luma->across * luma->down;
    return rounded(restarts(scan->jpeg, blocks) * sizeof(size_t));
}

static void choose_codes(Scan *scan, Workspace *space) {
    for (int j = 0; j < scan->jpeg->selection.components; j++) {
        int c = scan->jpeg->selection.component[j];
        const Component *component = &scan->jpeg->component[c];
        const CodeBook *dc = &scan->jpeg->dc[component->dc], *ac = &scan->jpeg->ac[component->ac];
        if (dc->defined) scan->dc[c] = workspace_codes(space, dc, 0, component->dc);
        if (ac->defined) scan->ac[c] = workspace_codes(space, ac, 1, component->ac);
    }
}

/* Lays out the workspace; the coefficients of a progression come first. */
static int prepare(Scan *scan, Workspace *space) {
    const Jpeg *jpeg = scan->jpeg;
    size_t ends = end_bytes(scan), coefficients = rounded(progressive_bytes(scan));
    size_t bytes = rounded((size_t)(jpeg->end - jpeg->scan) + READ_AHEAD);
    size_t size = coefficients + ends + bytes;
    for (int c = 0; c < jpeg->components; c++) {
        plan_plane(scan, c);
        size += rounded(plane_bytes(scan, c));
    }
    size += line_bytes(scan); /* at the end of the memory */
    if (coefficients > MOST_PROGRESSIVE_BYTES || !workspace_grow(space, size)) return 0;
    uint8_t *at = space->memory + coefficients;
    scan->segment_end = (size_t *)at, at += ends;
    scan->bytes = at, at += bytes;
    for (int c = 0; c < jpeg->components; c++) {
        const Component *component = &jpeg->component[c];
        scan->plane[c].samples = at, at += rounded(plane_bytes(scan, c));
        for (int k = 0; k < 64; k++) {
            scan->steps[c][zigzag[k]] = (int16_t)jpeg->quantisation[component->quantisation][k];
        }
    }
    scan->vectors = has_vectors();
    scan->keep_block = CHOSEN(keep_block);
    scan->skip_block = CHOSEN(skip_block);
    return 1;
}

/* All scans of a progression, into the planes; `jpeg` goes from one header to the next. */
static int read_progressive(Scan *scan, Jpeg *jpeg, Workspace *space) {
    Coefficients all[3];
    const Selection *s = &jpeg->selection;
    const uint8_t *end;
    int marker;
    begin_coefficients(scan, all, space->memory);
    do {
        const Coefficients *only = &all[s->component[0]];
        int across = s->components == 1 ? only->own_across : scan->units_across;
        int down = s->components == 1 ? only->own_down : scan->units_down;
        choose_codes(scan, space);
        marker = unstuff(scan, (size_t)across * down, &end);
        if (!marker || !select_next(scan, all)) return 0;
        if (!CHOSEN(read_selected_units)(scan, all, across, down)) return 0;
    } while (marker != 0xD9 && read_segments(jpeg, end, 1));
    return marker == 0xD9 && all_complete(scan, all) && finish_coefficients(scan, all);
}

static const uint8_t *plane_row(const Plane *plane, int y) {
    y = at_least(0, at_most(plane->height - 1, y));
    return plane->samples + (size_t)(y - plane->top) * plane->stride;
}

/* Row `y` of a chroma plane, from column `begin` to `end` of the image (both even, or the image's end), into `out`
 * as wide as the image. `sums` has room before its beginning. */
static void chroma_row(const Scan *scan, int c, int y, int begin, int end, uint16_t *sums, uint8_t *out) {
    const Plane *plane = &scan->plane[c];
    int down = scan->unit_height / 8, first = begin / 2, last = (end + 1) / 2;
    int from = at_least(0, first - 1), to = at_most(plane->width, last + 1);
    const uint8_t *near = plane_row(plane, y / down) + from - plane->left;
    if (down == 2) {
        const uint8_t *far = plane_row(plane, y % 2 ? y / 2 + 1 : y / 2 - 1) + from - plane->left;
        CHOSEN(blend_rows)(near, far, to - from, sums + from - first);
    } else {
        for (int x = 0; x < to - from; x++) sums[from - first + x] = near[x];
    }
    if (from == first) sums[-1] = sums[0];
    if (to == last) sums[last - first] = sums[last - first - 1];
    if (down == 2) {
        CHOSEN(widen_sums)(sums, last - first, out);
    } else {
        CHOSEN(widen_samples)(sums, last - first, out);
    }
}

/* The planes' part under the window to RGB. */
static void to_rgb(const Scan *scan, Area window, uint8_t *lines, uint8_t *out, size_t stride) {
    int count = window.right - window.left, even = window.left & ~1;
    size_t room = scan->plane[0].stride + 64;
    uint16_t *sums = (uint16_t *)(lines + 2 * room) + 16;
    for (int y = window.top; y < window.bottom; y++, out += stride) {
        const uint8_t *luma = plane_row(&scan->plane[0], y) + window.left - scan->plane[0].left;
        if (scan->jpeg->components == 1) {
            CHOSEN(grey_row)(luma, count, out);
        } else if (scan->unit_width == 8) {
            size_t column = window.left - scan->plane[1].left;
            CHOSEN(colour_row)(
                luma, plane_row(&scan->plane[1], y) + column, plane_row(&scan->plane[2], y) + column, count, out);
        } else {
            chroma_row(scan, 1, y, even, window.right, sums, lines);
            chroma_row(scan, 2, y, even, window.right, sums, lines + room);
            size_t column = window.left - even;
            CHOSEN(colour_row)(luma, lines + column, lines + room + column, count, out);
        }
    }
}

/* The window of the image to RGB; 0, with `out` in any state, where its bits are not in order. */
static int decode(Jpeg *jpeg, Workspace *space, Area window, uint8_t *out, size_t stride) {
    Scan whole = {0}, *scan = &whole;
    plan_units(scan, jpeg, window);
    if (!prepare(scan, space)) return 0;
    choose_codes(scan, space);
    if (!(jpeg->progressive ? read_progressive(scan, jpeg, space) : read_sequential(scan))) return 0;
    to_rgb(scan, window, space->memory + space->size - line_bytes(scan), out, stride);
    return 1;
}

#endif
