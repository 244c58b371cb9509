/* The inverse cosine transform of libjpeg's accurate integer method ("islow": Loeffler, Ligtenberg and Moschytz,
 * 1989, 11 multiplications, 13-bit constants, two extra bits between the passes), to the last bit. */
#ifndef TORCHBENCH_JPEG_IDCT_H
#define TORCHBENCH_JPEG_IDCT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>
#define JPEG_AVX2 __attribute__((target("avx2,bmi,bmi2")))
#endif

#define CONSTANT(x) ((int32_t)((x) * 8192 + 0.5))

/* One dimension for any type with +, -, * and <<: v[0..7] in place, scaled up by 2^13 times sqrt(8). */
#define TRANSFORM(type, v) do { \
        type even_ = (v[2] + v[6]) * CONSTANT(0.541196100); \
        type c2_ = even_ - v[6] * CONSTANT(1.847759065), c3_ = even_ + v[2] * CONSTANT(0.765366865); \
        type c0_ = (v[0] + v[4]) * 8192, c1_ = (v[0] - v[4]) * 8192; \
        type e0_ = c0_ + c3_, e3_ = c0_ - c3_, e1_ = c1_ + c2_, e2_ = c1_ - c2_; \
        type z5_ = (v[7] + v[3] + v[5] + v[1]) * CONSTANT(1.175875602); \
        type z1_ = (v[7] + v[1]) * -CONSTANT(0.899976223), z2_ = (v[5] + v[3]) * -CONSTANT(2.562915447); \
        type z3_ = (v[7] + v[3]) * -CONSTANT(1.961570560) + z5_; \
        type z4_ = (v[5] + v[1]) * -CONSTANT(0.390180644) + z5_; \
        type o0_ = v[7] * CONSTANT(0.298631336) + z1_ + z3_, o1_ = v[5] * CONSTANT(2.053119869) + z2_ + z4_; \
        type o2_ = v[3] * CONSTANT(3.072711026) + z2_ + z3_, o3_ = v[1] * CONSTANT(1.501321110) + z1_ + z4_; \
        v[0] = e0_ + o3_, v[7] = e0_ - o3_, v[1] = e1_ + o2_, v[6] = e1_ - o2_; \
        v[2] = e2_ + o1_, v[5] = e2_ - o1_, v[3] = e3_ + o0_, v[4] = e3_ - o0_; \
    } while (0)

static inline uint8_t level(int32_t value) {
    value += 128;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* Multiplies coefficients by their steps; gives the sum of the magnitudes, which is right even where 16 bits are
 * too few for a product. */
static int dequantise_scalar(int16_t *block, const int16_t *steps) {
    int magnitude = 0;
    for (int k = 0; k < 64; k++) {
        int value = block[k] * steps[k];
        magnitude += value < 0 ? -value : value;
        block[k] = (int16_t)value;
    }
    return magnitude;
}

/* One block of steps times coefficients to 8 x 8 levels; gives the greatest magnitude before clipping. */
static int idct_scalar(const int16_t *block, uint8_t *out, size_t stride) {
    int32_t between[8][8];
    int greatest = 0;
    for (int x = 0; x < 8; x++) {
        int32_t v[8];
        for (int y = 0; y < 8; y++) v[y] = block[8 * y + x];
        TRANSFORM(int32_t, v);
        for (int y = 0; y < 8; y++) between[y][x] = (v[y] + (1 << 10)) >> 11;
    }
    for (int y = 0; y < 8; y++) {
        int32_t *v = between[y];
        TRANSFORM(int32_t, v);
        for (int x = 0; x < 8; x++) {
            int32_t value = (v[x] + (1 << 17)) >> 18;
            if ((value < 0 ? -value : value) > greatest) greatest = value < 0 ? -value : value;
            out[y * stride + x] = level(value);
        }
    }
    return greatest;
}

/* A block whose first coefficient alone is not zero. */
static void idct_flat(int first, uint8_t *out, size_t stride) {
    uint8_t value = level((4 * first + 16) >> 5);
    for (int y = 0; y < 8; y++) memset(out + y * stride, value, 8);
}

#ifdef JPEG_AVX2

typedef int32_t Lanes __attribute__((vector_size(32)));

static inline JPEG_AVX2 void transpose_avx2(Lanes *v) {
    __m256i a[8], b[8];
    for (int j = 0; j < 4; j++) {
        a[2 * j] = _mm256_unpacklo_epi32((__m256i)v[2 * j], (__m256i)v[2 * j + 1]);
        a[2 * j + 1] = _mm256_unpackhi_epi32((__m256i)v[2 * j], (__m256i)v[2 * j + 1]);
    }
    for (int j = 0; j < 8; j += 4) {
        b[j] = _mm256_unpacklo_epi64(a[j], a[j + 2]);
        b[j + 1] = _mm256_unpackhi_epi64(a[j], a[j + 2]);
        b[j + 2] = _mm256_unpacklo_epi64(a[j + 1], a[j + 3]);
        b[j + 3] = _mm256_unpackhi_epi64(a[j + 1], a[j + 3]);
    }
    for (int j = 0; j < 4; j++) {
        v[j] = (Lanes)_mm256_permute2x128_si256(b[j], b[j + 4], 0x20);
        v[j + 4] = (Lanes)_mm256_permute2x128_si256(b[j], b[j + 4], 0x31);
    }
}

static JPEG_AVX2 int dequantise_avx2(int16_t *block, const int16_t *steps) {
    __m256i sum = _mm256_setzero_si256();
    for (int k = 0; k < 64; k += 16) {
        __m256i step = _mm256_loadu_si256((const __m256i *)(steps + k));
        __m256i value = _mm256_loadu_si256((const __m256i *)(block + k));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_abs_epi16(value), step));
        _mm256_storeu_si256((__m256i *)(block + k), _mm256_mullo_epi16(value, step));
    }
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xB1)));
}

static JPEG_AVX2 void idct_avx2(const int16_t *block, uint8_t *out, size_t stride) {
    Lanes v[8];
    for (int y = 0; y < 8; y++) {
        v[y] = (Lanes)_mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(block + 8 * y)));
    }
    TRANSFORM(Lanes, v);
    for (int y = 0; y < 8; y++) v[y] = (v[y] + (1 << 10)) >> 11;
    transpose_avx2(v);
    TRANSFORM(Lanes, v);
    for (int x = 0; x < 8; x++) v[x] = (v[x] + (1 << 17)) >> 18;
    transpose_avx2(v);
    for (int y = 0; y < 8; y += 4) {
        __m256i ab = _mm256_packs_epi32((__m256i)v[y], (__m256i)v[y + 1]);
        __m256i cd = _mm256_packs_epi32((__m256i)v[y + 2], (__m256i)v[y + 3]);
        __m256i bytes = _mm256_add_epi8(_mm256_packs_epi16(ab, cd), _mm256_set1_epi8(-128));
        __m128i left = _mm256_castsi256_si128(bytes), right = _mm256_extracti128_si256(bytes, 1);
        __m128i rows01 = _mm_unpacklo_epi32(left, right), rows23 = _mm_unpackhi_epi32(left, right);
        _mm_storel_epi64((__m128i *)(out + y * stride), rows01);
        _mm_storel_epi64((__m128i *)(out + (y + 1) * stride), _mm_unpackhi_epi64(rows01, rows01));
        _mm_storel_epi64((__m128i *)(out + (y + 2) * stride), rows23);
        _mm_storel_epi64((__m128i *)(out + (y + 3) * stride), _mm_unpackhi_epi64(rows23, rows23));
    }
}

#endif

#endif
