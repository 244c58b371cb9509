/* The two passes with NEON, in 32-bit lanes. */
#ifndef TORCHBENCH_RESAMPLE_NEON_H
#define TORCHBENCH_RESAMPLE_NEON_H

#include <arm_neon.h>
#include <string.h>

#include "_resample_scalar.h"

static inline int32x4_t lower_neon(uint16x8_t samples) {
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(samples)));
}

static inline int32x4_t upper_neon(uint16x8_t samples) {
    return vreinterpretq_s32_u32(vmovl_u16(vget_high_u16(samples)));
}

/* Adds two pixels, of which the second begins in the fourth lane, to red, green, blue and a lane that is not used. */
static inline int32x4_t add_pixels_neon(int32x4_t sum, const uint8_t *pixels, const int32_t *weights) {
    uint16x8_t samples = vmovl_u8(vld1_u8(pixels));
    sum = vmlaq_n_s32(sum, lower_neon(samples), weights[0]);
    return vmlaq_n_s32(sum, lower_neon(vextq_u16(samples, samples, 3)), weights[1]);
}

static inline void store_pixel_neon(int32x4_t sum, uint8_t *out) {
    uint16x4_t words = vqmovun_s32(vshrq_n_s32(sum, PRECISION_BITS));
    uint8x8_t bytes = vqmovn_u16(vcombine_u16(words, words));
    out[0] = vget_lane_u8(bytes, 0);
    out[1] = vget_lane_u8(bytes, 1);
    out[2] = vget_lane_u8(bytes, 2);
}

/* Outputs [0, end) of four rows; reads 8 bytes for every two pixels. */
static void rows4_neon(
    const uint8_t *source, size_t stride, const Axis *axis, int origin, int end, uint8_t *out, size_t out_stride) {
    for (int i = 0; i < end; i++) {
        const int32_t *weights = axis->weights + (size_t)i * axis->taps;
        const uint8_t *pixel = source + 3 * (size_t)(axis->first[i] - origin);
        int32x4_t a = vdupq_n_s32(HALF), b = a, c = a, d = a;
        for (int j = 0; j < axis->longest; j += 2, pixel += 6) {
            a = add_pixels_neon(a, pixel, weights + j);
            b = add_pixels_neon(b, pixel + stride, weights + j);
            c = add_pixels_neon(c, pixel + 2 * stride, weights + j);
            d = add_pixels_neon(d, pixel + 3 * stride, weights + j);
        }
        uint8_t *to = out + 3 * (size_t)i;
        store_pixel_neon(a, to);
        store_pixel_neon(b, to + out_stride);
        store_pixel_neon(c, to + 2 * out_stride);
        store_pixel_neon(d, to + 3 * out_stride);
    }
}

static void horizontal_neon(
    const uint8_t *source, size_t stride, int width, int rows, const Axis *axis, int origin, uint8_t *out,
    size_t out_stride) {
    int inside = outputs_inside(axis, origin, width, 2, 8);
    if (rows < 4) {
        horizontal_scalar(source, stride, width, rows, axis, origin, out, out_stride);
        return;
    }
    for (int next = 0; next < rows; next += 4) {
        int y = next + 4 <= rows ? next : rows - 4; /* the last four rows may repeat some */
        rows4_neon(source + y * stride, stride, axis, origin, inside, out + y * out_stride, out_stride);
        for (int r = y; r < y + 4 && inside < axis->count; r++) {
            row_scalar(source + r * stride, axis, origin, inside, axis->count, out + r * out_stride);
        }
    }
}

/* 16 bytes of one output row. */
static inline void column16_neon(
    const uint8_t *source, size_t stride, const int32_t *weights, int length, uint8_t *out) {
    int32x4_t a = vdupq_n_s32(HALF), b = a, c = a, d = a;
    for (int j = 0; j < length; j++, source += stride) {
        uint8x16_t bytes = vld1q_u8(source);
        uint16x8_t left = vmovl_u8(vget_low_u8(bytes)), right = vmovl_u8(vget_high_u8(bytes));
        a = vmlaq_n_s32(a, lower_neon(left), weights[j]);
        b = vmlaq_n_s32(b, upper_neon(left), weights[j]);
        c = vmlaq_n_s32(c, lower_neon(right), weights[j]);
        d = vmlaq_n_s32(d, upper_neon(right), weights[j]);
    }
    uint16x8_t left = vcombine_u16(vqmovun_s32(vshrq_n_s32(a, PRECISION_BITS)),
                                   vqmovun_s32(vshrq_n_s32(b, PRECISION_BITS)));
    uint16x8_t right = vcombine_u16(vqmovun_s32(vshrq_n_s32(c, PRECISION_BITS)),
                                    vqmovun_s32(vshrq_n_s32(d, PRECISION_BITS)));
    vst1q_u8(out, vcombine_u8(vqmovn_u16(left), vqmovn_u16(right)));
}

static void vertical_neon(
    const uint8_t *source, size_t stride, size_t bytes, const Axis *axis, int origin, uint8_t *out,
    size_t out_stride) {
    if (bytes < 16) {
        vertical_scalar(source, stride, bytes, axis, origin, out, out_stride);
        return;
    }
    for (int i = 0; i < axis->count; i++) {
        const int32_t *weights = axis->weights + (size_t)i * axis->taps;
        const uint8_t *from = source + (size_t)(axis->first[i] - origin) * stride;
        uint8_t *to = out + i * out_stride;
        for (size_t x = 0; x + 16 <= bytes; x += 16) {
            column16_neon(from + x, stride, weights, axis->length[i], to + x);
        }
        column16_neon(from + bytes - 16, stride, weights, axis->length[i], to + bytes - 16);
    }
}

#endif
