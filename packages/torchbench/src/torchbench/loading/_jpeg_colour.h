/* The rows of _jpeg_colour_rows.h for each instruction set, and what AVX2 does better than a compiler. */
#ifndef TORCHBENCH_JPEG_COLOUR_H
#define TORCHBENCH_JPEG_COLOUR_H

#include "_jpeg_idct.h"

#define NAME(name) name##_scalar
#define TARGET
#include "_jpeg_colour_rows.h"
#undef NAME
#undef TARGET

static void colour_row_scalar(
    const uint8_t *luma, const uint8_t *blue, const uint8_t *red, int count, uint8_t *out) {
    colour_tail_scalar(luma, blue, red, 0, count, out);
}

#ifdef JPEG_AVX2

#define NAME(name) name##_avx2
#define TARGET JPEG_AVX2
#include "_jpeg_colour_rows.h"
#undef NAME
#undef TARGET

/* 16 differences from grey, in 16 bits, times a constant of 16 fractional bits, rounded: (2 x c >> 16) + 1 >> 1. */
static inline JPEG_AVX2 __m256i scaled_avx2(__m256i twice, int constant) {
    __m256i high = _mm256_mulhi_epi16(twice, _mm256_set1_epi16((int16_t)constant));
    return _mm256_srai_epi16(_mm256_add_epi16(high, _mm256_set1_epi16(1)), 1);
}

/* 18734 = 65536 - 46802: the whole part of green's red share is taken off by the caller. */
static inline JPEG_AVX2 __m256i green_avx2(__m256i cb, __m256i cr) {
    const __m256i weights = _mm256_set1_epi32((int32_t)((uint32_t)18734 << 16 | (uint16_t)-22554));
    const __m256i half = _mm256_set1_epi32(32768);
    __m256i low = _mm256_madd_epi16(_mm256_unpacklo_epi16(cb, cr), weights);
    __m256i high = _mm256_madd_epi16(_mm256_unpackhi_epi16(cb, cr), weights);
    return _mm256_packs_epi32(_mm256_srai_epi32(_mm256_add_epi32(low, half), 16),
                              _mm256_srai_epi32(_mm256_add_epi32(high, half), 16));
}

static inline JPEG_AVX2 __m128i bytes_avx2(__m256i words) {
    __m256i packed = _mm256_packus_epi16(words, words);
    return _mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0x08));
}

/* 16 pixels, 48 bytes. */
static inline JPEG_AVX2 void interleave_avx2(__m128i r, __m128i g, __m128i b, uint8_t *out) {
#define PART(third, c0, c1, c2) \
    _mm_or_si128(_mm_or_si128(_mm_shuffle_epi8(r, c0), _mm_shuffle_epi8(g, c1)), _mm_shuffle_epi8(b, c2))
    const __m128i r0 = _mm_setr_epi8(0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1, 5);
    const __m128i g0 = _mm_setr_epi8(-1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1);
    const __m128i b0 = _mm_setr_epi8(-1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1);
    const __m128i five = _mm_set1_epi8(5), six = _mm_set1_epi8(6);
    /* The pattern moves on by 16 bytes: blue leads the second part (from its fifth pixel), green the third. */
    const __m128i g1 = _mm_or_si128(_mm_add_epi8(r0, five), _mm_cmplt_epi8(r0, _mm_setzero_si128()));
    const __m128i b1 = _mm_or_si128(_mm_add_epi8(g0, five), _mm_cmplt_epi8(g0, _mm_setzero_si128()));
    const __m128i r1 = _mm_or_si128(_mm_add_epi8(b0, six), _mm_cmplt_epi8(b0, _mm_setzero_si128()));
    const __m128i b2 = _mm_or_si128(_mm_add_epi8(g1, five), _mm_cmplt_epi8(g1, _mm_setzero_si128()));
    const __m128i r2 = _mm_or_si128(_mm_add_epi8(b1, six), _mm_cmplt_epi8(b1, _mm_setzero_si128()));
    const __m128i g2 = _mm_or_si128(_mm_add_epi8(r1, five), _mm_cmplt_epi8(r1, _mm_setzero_si128()));
    _mm_storeu_si128((__m128i *)out, PART(0, r0, g0, b0));
    _mm_storeu_si128((__m128i *)(out + 16), PART(1, r1, g1, b1));
    _mm_storeu_si128((__m128i *)(out + 32), PART(2, r2, g2, b2));
#undef PART
}

static JPEG_AVX2 void colour_row_avx2(
    const uint8_t *luma, const uint8_t *blue, const uint8_t *red, int count, uint8_t *out) {
    const __m256i grey = _mm256_set1_epi16(128);
    int x = 0;
    for (; x + 16 <= count; x += 16) {
        __m256i y = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(luma + x)));
        __m256i cb = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(blue + x)));
        __m256i cr = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(red + x)));
        cb = _mm256_sub_epi16(cb, grey), cr = _mm256_sub_epi16(cr, grey);
        __m256i twice_cb = _mm256_slli_epi16(cb, 1), twice_cr = _mm256_slli_epi16(cr, 1);
        __m256i r = _mm256_add_epi16(_mm256_add_epi16(y, cr), scaled_avx2(twice_cr, 26345));
        __m256i g = _mm256_add_epi16(_mm256_sub_epi16(y, cr), green_avx2(cb, cr));
        __m256i b = _mm256_add_epi16(_mm256_add_epi16(y, twice_cb), scaled_avx2(twice_cb, -14942));
        interleave_avx2(bytes_avx2(r), bytes_avx2(g), bytes_avx2(b), out + 3 * x);
    }
    colour_tail_avx2(luma, blue, red, x, count, out);
}

#endif

#endif
