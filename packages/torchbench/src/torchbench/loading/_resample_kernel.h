/* Resize and crop in one: a window of an RGB image in, the pixels of a crop of the resized image out. */
#ifndef TORCHBENCH_RESAMPLE_KERNEL_H
#define TORCHBENCH_RESAMPLE_KERNEL_H

#include <stddef.h>
#include <string.h>

#include "_resample_coefficients.h"

#include "_resample_scalar.h"
#if defined(__GNUC__) && defined(__x86_64__)
#include "_resample_avx2.h"
#elif defined(__GNUC__) && defined(__aarch64__)
#include "_resample_neon.h"
#endif

/* Rows of interleaved RGB bytes in, rows of interleaved RGB bytes out.
 * Sums are 32-bit integers, so their order does not matter, and every set of instructions gives the same values. */
typedef struct {
    const char *name;
    /* `rows` rows from `source` (whose first column is column `origin` of the image) to `out`. */
    void (*horizontal)(const uint8_t *source, size_t stride, int width, int rows, const Axis *axis, int origin,
                       uint8_t *out, size_t out_stride);
    /* One row of `bytes` bytes for each output of the axis; `source` begins with row `origin` of the image. */
    void (*vertical)(const uint8_t *source, size_t stride, size_t bytes, const Axis *axis, int origin, uint8_t *out,
                     size_t out_stride);
} Passes;

static const Passes scalar_passes = {"scalar", horizontal_scalar, vertical_scalar};

/* The fastest passes that this processor runs. */
static const Passes *best_passes(void) {
#if defined(__GNUC__) && defined(__x86_64__)
    static const Passes avx2_passes = {"AVX2", horizontal_avx2, vertical_avx2};
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") ? &avx2_passes : &scalar_passes;
#elif defined(__GNUC__) && defined(__aarch64__)
    static const Passes neon_passes = {"NEON", horizontal_neon, vertical_neon};
    return &neon_passes;
#else
    return &scalar_passes;
#endif
}

typedef struct {
    const uint8_t *pixels; /* window of the source, rows `stride` bytes apart */
    size_t stride;
    int left, top, width, height; /* the window in the source */
    int full_width, full_height;  /* the source */
} Source;

typedef struct {
    int resized_width, resized_height;
    int left, top, width, height; /* the crop in the resized image */
    int filter;
    int vertical_first;
} Crop;

typedef struct {
    int left, top, right, bottom;
} Window;

/* Source pixels that the crop is computed from. */
static Window source_window(int full_width, int full_height, const Crop *crop) {
    Window window = {crop->left, crop->top, crop->left + crop->width, crop->top + crop->height};
    int unused;
    if (crop->resized_width != full_width) {
        source_range(full_width, crop->resized_width, crop->filter, crop->left, &window.left, &unused);
        source_range(full_width, crop->resized_width, crop->filter, window.right - 1, &unused, &window.right);
    }
    if (crop->resized_height != full_height) {
        source_range(full_height, crop->resized_height, crop->filter, crop->top, &window.top, &unused);
        source_range(full_height, crop->resized_height, crop->filter, window.bottom - 1, &unused, &window.bottom);
    }
    return window;
}

/* Output rows that are finished together: what is between two passes then stays in the fastest cache. */
#define BLOCK 16

/* Outputs [begin, end) of an axis; it shares the arrays. */
static Axis axis_part(const Axis *axis, int begin, int end) {
    Axis part = *axis;
    part.count = (end < axis->count ? end : axis->count) - begin;
    part.first += begin;
    part.length += begin;
    part.weights += (size_t)begin * axis->taps;
    part.pairs += (size_t)begin * axis->taps;
    return part;
}

static int axis_end(const Axis *axis) { return axis->first[axis->count - 1] + axis->length[axis->count - 1]; }

/* Source rows that the largest block needs. */
static int block_rows(const Axis *down) {
    int rows = 0;
    for (int i = 0; i < down->count; i += BLOCK) {
        Axis part = axis_part(down, i, i + BLOCK);
        if (axis_end(&part) - part.first[0] > rows) rows = axis_end(&part) - part.first[0];
    }
    return rows;
}

static int across_then_down(
    const Passes *passes, const Source *source, const Axis *across, const Axis *down, uint8_t *out,
    size_t out_stride) {
    size_t stride = 3 * (size_t)across->count;
    uint8_t *between = malloc(stride * block_rows(down));
    int begin = 0, end = 0; /* rows of the image that are in `between` */
    if (!between) return -1;
    for (int i = 0; i < down->count; i += BLOCK) {
        Axis part = axis_part(down, i, i + BLOCK);
        int first = part.first[0], kept = end > first ? end - first : 0;
        if (kept) memmove(between, between + (size_t)(first - begin) * stride, kept * stride);
        begin = first;
        end = axis_end(&part);
        const uint8_t *pixels = source->pixels + (size_t)(begin + kept - source->top) * source->stride;
        passes->horizontal(pixels, source->stride, source->width, end - begin - kept, across, source->left,
                           between + kept * stride, stride);
        passes->vertical(between, stride, stride, &part, begin, out + i * out_stride, out_stride);
    }
    free(between);
    return 0;
}

static int down_then_across(
    const Passes *passes, const Source *source, Window need, const Axis *across, const Axis *down, uint8_t *out,
    size_t out_stride) {
    const uint8_t *pixels = source->pixels + 3 * (size_t)(need.left - source->left);
    int columns = need.right - need.left;
    size_t stride = 3 * (size_t)columns;
    uint8_t *between = malloc(stride * BLOCK);
    if (!between) return -1;
    for (int i = 0; i < down->count; i += BLOCK) {
        Axis part = axis_part(down, i, i + BLOCK);
        uint8_t *to = out + i * out_stride;
        passes->vertical(pixels, source->stride, stride, &part, source->top, between, stride);
        passes->horizontal(between, stride, columns, part.count, across, need.left, to, out_stride);
    }
    free(between);
    return 0;
}

static void copy_rows(const uint8_t *from, size_t stride, int rows, size_t bytes, uint8_t *out, size_t out_stride) {
    for (int y = 0; y < rows; y++) memcpy(out + y * out_stride, from + y * stride, bytes);
}

/* Fills `out`; a side that keeps its size has no pass. 0, or -1 when memory is short. */
static int resample_crop(
    const Passes *passes, const Source *source, const Crop *crop, uint8_t *out, size_t out_stride) {
    Window need = source_window(source->full_width, source->full_height, crop);
    const uint8_t *top = source->pixels + (size_t)(need.top - source->top) * source->stride;
    const uint8_t *corner = top + 3 * (size_t)(need.left - source->left);
    int horizontal = crop->resized_width != source->full_width;
    int vertical = crop->resized_height != source->full_height;
    size_t bytes = 3 * (size_t)crop->width;
    Axis across = {0}, down = {0};
    int status = 0;
    if (horizontal) {
        status = axis_make(&across, source->full_width, crop->resized_width, crop->filter, crop->left, crop->width);
    }
    if (vertical && !status) {
        status = axis_make(&down, source->full_height, crop->resized_height, crop->filter, crop->top, crop->height);
    }
    if (status) {
    } else if (horizontal && vertical && crop->vertical_first) {
        status = down_then_across(passes, source, need, &across, &down, out, out_stride);
    } else if (horizontal && vertical) {
        status = across_then_down(passes, source, &across, &down, out, out_stride);
    } else if (horizontal) {
        passes->horizontal(
            top, source->stride, source->width, crop->height, &across, source->left, out, out_stride);
    } else if (vertical) {
        passes->vertical(corner, source->stride, bytes, &down, need.top, out, out_stride);
    } else {
        copy_rows(corner, source->stride, crop->height, bytes, out, out_stride);
    }
    axis_free(&across);
    axis_free(&down);
    return status;
}

#endif
