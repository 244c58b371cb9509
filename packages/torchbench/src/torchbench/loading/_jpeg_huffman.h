/* Entropy decoding of a plain JPEG's scan: bits, codes, and the coefficients of one block. */
#ifndef TORCHBENCH_JPEG_HUFFMAN_H
#define TORCHBENCH_JPEG_HUFFMAN_H

#include <stdlib.h>

#include "_jpeg_header.h"
#include "_jpeg_idct.h"

#define LOOKUP_BITS 10
#define NOWHERE 64 /* a place behind a block for a run past its end, which is found afterwards */
#define ALWAYS_INLINE inline __attribute__((always_inline))

/* The 64 places of a block in zigzag order. */
static const uint8_t zigzag[80] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,
    6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31,
    39, 46, 53, 60, 61, 54, 47, 55, 62, 63, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64};

/* What a code stands for, in 32 bits from the lowest on: 8 bits of code and value together (so that shifting to the
 * next code need not wait for anything else), 8 bits of code, 8 of value, 4 zeros before it, then what it is
 * instead: the END of a block, or a code LONGer than the lookup, or none at all. */
enum { END = 1 << 28, LONG = 1 << 29, INVALID = 1 << 30, OTHER = END | LONG | INVALID };

typedef struct {
    uint32_t lookup[1 << LOOKUP_BITS];
    int32_t limit[17]; /* of each length, the first code (left-aligned in 16 bits) that is longer */
    int32_t offset[17];
    uint8_t symbols[256];
} Codes;

static uint32_t make_entry(int symbol, int length, int is_ac) {
    uint32_t size = symbol & 15, run = symbol >> 4;
    uint32_t other = is_ac && size == 0 && run != 15 ? END : 0;
    return other | run << 24 | size << 16 | (uint32_t)length << 8 | ((uint32_t)length + size);
}

static void build_codes(Codes *codes, const CodeBook *book, int is_ac) {
    int code = 0, index = 0;
    for (int j = 0; j < 1 << LOOKUP_BITS; j++) codes->lookup[j] = LONG;
    memcpy(codes->symbols, book->symbols, sizeof codes->symbols);
    for (int length = 1; length <= 16; length++, code <<= 1) {
        codes->offset[length] = index - code;
        for (int j = 0; j < book->counts[length]; j++, code++, index++) {
            uint32_t entry = make_entry(book->symbols[index], length, is_ac);
            int room = LOOKUP_BITS - length;
            for (int k = 0; room >= 0 && k < 1 << room; k++) codes->lookup[(code << room) + k] = entry;
        }
        codes->limit[length] = code << (16 - length);
    }
}

/* The scan's bits from the top of a 64-bit word. The bytes read are followed by enough room to read on. */
typedef struct {
    uint64_t word;
    int count;
    const uint8_t *next;
} Bits;

static ALWAYS_INLINE void refill(Bits *bits) {
    uint64_t bytes;
    memcpy(&bytes, bits->next, 8);
#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    bytes = __builtin_bswap64(bytes);
#endif
    bits->word |= bytes >> bits->count;
    bits->next += (63 - bits->count) >> 3;
    bits->count |= 56;
}

static ALWAYS_INLINE void consume(Bits *bits, int length) {
    bits->word <<= length;
    bits->count -= length;
}

/* The entry of a code that is longer than the lookup. */
static __attribute__((noinline)) uint32_t long_entry(const Codes *codes, uint64_t word, int is_ac) {
    int32_t code = (int32_t)(word >> 48);
    for (int length = LOOKUP_BITS + 1; length <= 16; length++) {
        if (code < codes->limit[length]) {
            int index = (code >> (16 - length)) + codes->offset[length];
            return make_entry(codes->symbols[index & 255], length, is_ac);
        }
    }
    return INVALID;
}

/* The value of an entry at the top of `word`: a leading zero stands for a negative number. */
static ALWAYS_INLINE int value_of(uint64_t word, uint32_t entry) {
    int size = entry >> 16 & 255;
    uint64_t bits = word << (entry >> 8 & 63);
    int negative = (int)~((int64_t)bits >> 63);
    return (int)(bits >> 1 >> (63 - size)) + (negative & (1 - (1 << size)));
}

/* Skips or fills one block of coefficients: the difference of its first one is added to `*dc`, the others are put
 * into `block` where `keep` says so. Gives one more than the zigzag place of the last one, 0 for invalid bits. */
static ALWAYS_INLINE int read_block(
    Bits *bits, const Codes *dc_codes, const Codes *ac_codes, int keep, int *dc, int16_t *block) {
    int k = 1;
    refill(bits); /* 56 bits: two codes and values of at most 27 */
    uint32_t entry = dc_codes->lookup[bits->word >> (64 - LOOKUP_BITS)];
    if (entry & LONG) entry = long_entry(dc_codes, bits->word, 0);
    if (entry & INVALID) return 0;
    *dc += value_of(bits->word, entry);
    consume(bits, entry & 63);
#define NEXT_VALUE \
    entry = ac_codes->lookup[bits->word >> (64 - LOOKUP_BITS)]; \
    if (__builtin_expect(entry & OTHER, 0)) { \
        if (entry & LONG) entry = long_entry(ac_codes, bits->word, 1); \
        if (entry & INVALID) return 0; \
        if (entry & END) { \
            consume(bits, entry & 63); \
            return k; \
        } \
    } \
    k += entry >> 24 & 15; \
    if (keep) block[zigzag[k]] = (int16_t)value_of(bits->word, entry); \
    consume(bits, entry & 63); \
    if (++k >= 64) break;
    for (;;) {
        NEXT_VALUE
        refill(bits);
        NEXT_VALUE
    }
#undef NEXT_VALUE
    return k == 64 ? k : 0;
}

/* The same as functions of their own: within a larger one the bits would not stay in registers. */
#define BLOCK_READER(name, target, keep) \
    static __attribute__((noinline)) target int name( \
        Bits *bits, const Codes *dc_codes, const Codes *ac_codes, int *dc, int16_t *block) { \
        Bits mine = *bits; \
        int used = read_block(&mine, dc_codes, ac_codes, keep, dc, block); \
        *bits = mine; \
        return used; \
    }

BLOCK_READER(keep_block_scalar, , 1)
BLOCK_READER(skip_block_scalar, , 0)
#ifdef JPEG_AVX2
/* Shifting by a variable amount is one instruction with BMI2, and the decoder waits for it. */
BLOCK_READER(keep_block_avx2, JPEG_AVX2, 1)
BLOCK_READER(skip_block_avx2, JPEG_AVX2, 0)
#endif

#endif
