/* The two passes with AVX2. A weight of 22 bits is split so that the 16-bit multiply-and-add takes two samples at
 * once: sum = upper sum * 2^LOW_BITS + lower sum, exact in 32 bits. */
#ifndef TORCHBENCH_RESAMPLE_AVX2_H
#define TORCHBENCH_RESAMPLE_AVX2_H

#include <immintrin.h>
#include <string.h>

#include "_resample_scalar.h"

#define AVX2 __attribute__((target("avx2")))

/* Sums to levels in 32 bits, not yet clipped. */
static inline AVX2 __m256i levels_avx2(__m256i upper, __m256i lower) {
    return _mm256_srai_epi32(_mm256_add_epi32(_mm256_slli_epi32(upper, LOW_BITS), lower), PRECISION_BITS);
}

static inline AVX2 __m256i two_rows_avx2(const uint8_t *pixels, size_t stride) {
    __m128i first = _mm_loadu_si128((const __m128i *)pixels);
    __m128i second = _mm_loadu_si128((const __m128i *)(pixels + stride));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1);
}

static inline AVX2 void store_pixel_avx2(int pixel, int last, uint8_t *out) {
    if (last) {
        memcpy(out, &pixel, 3);
    } else {
        memcpy(out, &pixel, 4); /* the fourth byte belongs to the next pixel, which is written later */
    }
}

typedef struct {
    __m256i upper, lower;
} SumsAVX2;

static inline AVX2 void add_pair_avx2(SumsAVX2 *sums, __m256i samples, __m256i upper, __m256i lower) {
    sums->upper = _mm256_add_epi32(sums->upper, _mm256_madd_epi16(samples, upper));
    sums->lower = _mm256_add_epi32(sums->lower, _mm256_madd_epi16(samples, lower));
}

/* Outputs [0, end) of four rows; reads 16 bytes for every two or four pixels. */
static AVX2 void rows4_avx2(
    const uint8_t *source, size_t stride, const Axis *axis, int origin, int end, uint8_t *out, size_t out_stride) {
    /* Bytes of pixels 0 and 1, and of 2 and 3, as 16-bit pairs: red red, green green, blue blue, nothing. */
    const __m256i pixels01 = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
    const __m256i pixels23 = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
    for (int i = 0; i < end; i++) {
        const int32_t *pairs = axis->pairs + (size_t)i * axis->taps;
        const uint8_t *pixel = source + 3 * (size_t)(axis->first[i] - origin);
        SumsAVX2 a = {_mm256_setzero_si256(), _mm256_set1_epi32(HALF)}, b = a;
        /* As many taps for every output: a processor guesses that right, and zero weights add nothing. */
        for (int j = 0; j < axis->longest; j += 4, pixel += 12) {
            __m256i pixels_a = two_rows_avx2(pixel, stride), pixels_b = two_rows_avx2(pixel + 2 * stride, stride);
            __m256i upper = _mm256_set1_epi32(pairs[j]), lower = _mm256_set1_epi32(pairs[j + 1]);
            add_pair_avx2(&a, _mm256_shuffle_epi8(pixels_a, pixels01), upper, lower);
            add_pair_avx2(&b, _mm256_shuffle_epi8(pixels_b, pixels01), upper, lower);
            if (j + 2 >= axis->longest) break;
            upper = _mm256_set1_epi32(pairs[j + 2]), lower = _mm256_set1_epi32(pairs[j + 3]);
            add_pair_avx2(&a, _mm256_shuffle_epi8(pixels_a, pixels23), upper, lower);
            add_pair_avx2(&b, _mm256_shuffle_epi8(pixels_b, pixels23), upper, lower);
        }
        __m256i words = _mm256_packs_epi32(levels_avx2(a.upper, a.lower), levels_avx2(b.upper, b.lower));
        __m256i bytes = _mm256_packus_epi16(words, words); /* rows 0 and 2 in the lower half, 1 and 3 in the upper */
        uint8_t *to = out + 3 * (size_t)i;
        int last = i + 1 == axis->count;
        store_pixel_avx2(_mm256_extract_epi32(bytes, 0), last, to);
        store_pixel_avx2(_mm256_extract_epi32(bytes, 4), last, to + out_stride);
        store_pixel_avx2(_mm256_extract_epi32(bytes, 1), last, to + 2 * out_stride);
        store_pixel_avx2(_mm256_extract_epi32(bytes, 5), last, to + 3 * out_stride);
    }
}

static AVX2 void horizontal_avx2(
    const uint8_t *source, size_t stride, int width, int rows, const Axis *axis, int origin, uint8_t *out,
    size_t out_stride) {
    int inside = outputs_inside(axis, origin, width, 4, 16);
    if (rows < 4) {
        horizontal_scalar(source, stride, width, rows, axis, origin, out, out_stride);
        return;
    }
    for (int next = 0; next < rows; next += 4) {
        int y = next + 4 <= rows ? next : rows - 4; /* the last four rows may repeat some */
        rows4_avx2(source + y * stride, stride, axis, origin, inside, out + y * out_stride, out_stride);
        for (int r = y; r < y + 4 && inside < axis->count; r++) {
            row_scalar(source + r * stride, axis, origin, inside, axis->count, out + r * out_stride);
        }
    }
}

/* 32 bytes of one output row. */
static inline AVX2 void column32_avx2(
    const uint8_t *source, size_t stride, const int32_t *pairs, int length, uint8_t *out) {
    const __m256i zero = _mm256_setzero_si256(), half = _mm256_set1_epi32(HALF);
    __m256i upper[4] = {zero, zero, zero, zero}, lower[4] = {half, half, half, half};
    for (int j = 0; j < length; j += 2) {
        const uint8_t *from = source + j * stride, *next = from + (j + 1 < length ? stride : 0);
        __m256i a = _mm256_loadu_si256((const __m256i *)from), b = _mm256_loadu_si256((const __m256i *)next);
        __m256i left = _mm256_unpacklo_epi8(a, b), right = _mm256_unpackhi_epi8(a, b);
        __m256i samples[4] = {_mm256_unpacklo_epi8(left, zero), _mm256_unpackhi_epi8(left, zero),
                              _mm256_unpacklo_epi8(right, zero), _mm256_unpackhi_epi8(right, zero)};
        __m256i up = _mm256_set1_epi32(pairs[j]), low = _mm256_set1_epi32(pairs[j + 1]);
        for (int k = 0; k < 4; k++) {
            upper[k] = _mm256_add_epi32(upper[k], _mm256_madd_epi16(samples[k], up));
            lower[k] = _mm256_add_epi32(lower[k], _mm256_madd_epi16(samples[k], low));
        }
    }
    __m256i left = _mm256_packs_epi32(levels_avx2(upper[0], lower[0]), levels_avx2(upper[1], lower[1]));
    __m256i right = _mm256_packs_epi32(levels_avx2(upper[2], lower[2]), levels_avx2(upper[3], lower[3]));
    _mm256_storeu_si256((__m256i *)out, _mm256_packus_epi16(left, right)); /* packing undoes the unpacking's order */
}

static AVX2 void vertical_avx2(
    const uint8_t *source, size_t stride, size_t bytes, const Axis *axis, int origin, uint8_t *out,
    size_t out_stride) {
    if (bytes < 32) {
        vertical_scalar(source, stride, bytes, axis, origin, out, out_stride);
        return;
    }
    for (int i = 0; i < axis->count; i++) {
        const int32_t *pairs = axis->pairs + (size_t)i * axis->taps;
        const uint8_t *from = source + (size_t)(axis->first[i] - origin) * stride;
        uint8_t *to = out + i * out_stride;
        for (size_t x = 0; x + 32 <= bytes; x += 32) column32_avx2(from + x, stride, pairs, axis->length[i], to + x);
        column32_avx2(from + bytes - 32, stride, pairs, axis->length[i], to + bytes - 32);
    }
}

#endif
