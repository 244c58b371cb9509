/* The two passes in plain C: the reference for the others, and what they leave to it at the edges. */
#ifndef TORCHBENCH_RESAMPLE_SCALAR_H
#define TORCHBENCH_RESAMPLE_SCALAR_H

#include "_resample_coefficients.h"

#define HALF (1 << (PRECISION_BITS - 1))

static inline uint8_t clip8(int32_t sum) {
    sum >>= PRECISION_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* Outputs [begin, end) of one row. */
static void row_scalar(const uint8_t *source, const Axis *axis, int origin, int begin, int end, uint8_t *out) {
    for (int i = begin; i < end; i++) {
        const int32_t *weights = axis->weights + (size_t)i * axis->taps;
        const uint8_t *pixel = source + 3 * (size_t)(axis->first[i] - origin);
        int32_t red = HALF, green = HALF, blue = HALF;
        for (int j = 0; j < axis->length[i]; j++, pixel += 3) {
            red += pixel[0] * weights[j];
            green += pixel[1] * weights[j];
            blue += pixel[2] * weights[j];
        }
        out[3 * i] = clip8(red);
        out[3 * i + 1] = clip8(green);
        out[3 * i + 2] = clip8(blue);
    }
}

static void horizontal_scalar(
    const uint8_t *source, size_t stride, int width, int rows, const Axis *axis, int origin, uint8_t *out,
    size_t out_stride) {
    (void)width;
    for (int y = 0; y < rows; y++) {
        row_scalar(source + y * stride, axis, origin, 0, axis->count, out + y * out_stride);
    }
}

/* Bytes [begin, end) of one output row. */
static void column_scalar(
    const uint8_t *source, size_t stride, const int32_t *weights, int length, size_t begin, size_t end,
    uint8_t *out) {
    for (size_t x = begin; x < end; x++) {
        int32_t sum = HALF;
        for (int j = 0; j < length; j++) sum += source[x + j * stride] * weights[j];
        out[x] = clip8(sum);
    }
}

static void vertical_scalar(
    const uint8_t *source, size_t stride, size_t bytes, const Axis *axis, int origin, uint8_t *out,
    size_t out_stride) {
    for (int i = 0; i < axis->count; i++) {
        const uint8_t *from = source + (size_t)(axis->first[i] - origin) * stride;
        const int32_t *weights = axis->weights + (size_t)i * axis->taps;
        column_scalar(from, stride, weights, axis->length[i], 0, bytes, out + i * out_stride);
    }
}

/* How many outputs have loads that stay inside a row of `width` pixels, where `bytes` bytes are loaded for every
 * `taps` pixels of the longest output. */
static int outputs_inside(const Axis *axis, int origin, int width, int taps, int bytes) {
    int count = axis->count;
    int last = (axis->longest - 1) / taps * taps;
    for (; count > 0; count--) {
        size_t begin = 3 * (size_t)(axis->first[count - 1] - origin + last);
        if (begin + bytes <= 3 * (size_t)width) break;
    }
    return count;
}

#endif
