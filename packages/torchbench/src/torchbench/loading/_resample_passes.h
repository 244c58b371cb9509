/* The two passes over rows of interleaved RGB bytes. Included once for each instruction set:
 * NAME(f) gives the function its suffix, TARGET its instruction set, and VECTORS says whether the
 * compiler has GNU vector types. Sums are 32-bit integers, so their order does not matter. */

#define HALF (1 << (PRECISION_BITS - 1))

static inline TARGET uint8_t NAME(clip8)(int32_t sum) {
    sum >>= PRECISION_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* One output pixel from `length` pixels at `source`. */
static inline TARGET void NAME(pixel)(const uint8_t *source, const int32_t *weights, int length, uint8_t *out) {
    int32_t red = HALF, green = HALF, blue = HALF;
    for (int j = 0; j < length; j++, source += 3) {
        red += source[0] * weights[j];
        green += source[1] * weights[j];
        blue += source[2] * weights[j];
    }
    out[0] = NAME(clip8)(red);
    out[1] = NAME(clip8)(green);
    out[2] = NAME(clip8)(blue);
}

static TARGET void NAME(row)(const uint8_t *source, const Axis *axis, int origin, int begin, int end, uint8_t *out) {
    for (int i = begin; i < end; i++) {
        const int32_t *weights = axis->weights + (size_t)i * axis->taps;
        NAME(pixel)(source + 3 * (axis->first[i] - origin), weights, axis->length[i], out + 3 * i);
    }
}

#ifdef VECTORS

typedef uint8_t NAME(bytes4) __attribute__((vector_size(4)));
typedef int32_t NAME(ints4) __attribute__((vector_size(16)));
typedef uint8_t NAME(bytes8) __attribute__((vector_size(8)));
typedef int32_t NAME(ints8) __attribute__((vector_size(32)));

#define LOAD4(vector, address) do { \
        NAME(bytes4) loaded_; \
        memcpy(&loaded_, address, 4); \
        vector = __builtin_convertvector(loaded_, NAME(ints4)); \
    } while (0)

#define LOAD8(vector, address) do { \
        NAME(bytes8) loaded_; \
        memcpy(&loaded_, address, 8); \
        vector = __builtin_convertvector(loaded_, NAME(ints8)); \
    } while (0)

static inline TARGET void NAME(store)(NAME(ints4) sum, uint8_t *out) {
    out[0] = NAME(clip8)(sum[0]);
    out[1] = NAME(clip8)(sum[1]);
    out[2] = NAME(clip8)(sum[2]);
}

/* Four rows at once: each weight is fetched for all of them. Reads one byte past the last pixel used. */
static TARGET void NAME(rows4)(
    const uint8_t *source, size_t stride, const Axis *axis, int origin, int end, uint8_t *out, size_t out_stride) {
    for (int i = 0; i < end; i++) {
        const int32_t *weights = axis->weights + (size_t)i * axis->taps;
        const uint8_t *pixel = source + 3 * (axis->first[i] - origin);
        NAME(ints4) a = {HALF, HALF, HALF, HALF}, b = a, c = a, d = a, x;
        for (int j = 0; j < axis->length[i]; j++, pixel += 3) {
            LOAD4(x, pixel); a += x * weights[j];
            LOAD4(x, pixel + stride); b += x * weights[j];
            LOAD4(x, pixel + 2 * stride); c += x * weights[j];
            LOAD4(x, pixel + 3 * stride); d += x * weights[j];
        }
        uint8_t *to = out + 3 * i;
        NAME(store)(a, to);
        NAME(store)(b, to + out_stride);
        NAME(store)(c, to + 2 * out_stride);
        NAME(store)(d, to + 3 * out_stride);
    }
}

#endif

/* `rows` rows from `source` (whose first column is column `origin` of the image) to `out`. */
static TARGET void NAME(horizontal)(
    const uint8_t *source, size_t stride, int width, int rows, const Axis *axis, int origin, uint8_t *out,
    size_t out_stride) {
    int y = 0;
#ifdef VECTORS
    int safe = axis->count; /* outputs whose last pixel is not the row's last: a load of 4 bytes stays inside */
    while (safe > 0 && axis->first[safe - 1] + axis->length[safe - 1] - origin >= width) safe--;
    for (; y + 4 <= rows; y += 4) {
        NAME(rows4)(source + y * stride, stride, axis, origin, safe, out + y * out_stride, out_stride);
        for (int r = y; r < y + 4; r++) {
            NAME(row)(source + r * stride, axis, origin, safe, axis->count, out + r * out_stride);
        }
    }
#endif
    for (; y < rows; y++) NAME(row)(source + y * stride, axis, origin, 0, axis->count, out + y * out_stride);
}

/* One output row of `bytes` bytes from `length` rows. */
static TARGET void NAME(column)(
    const uint8_t *source, size_t stride, const int32_t *weights, int length, size_t bytes, uint8_t *out) {
    size_t x = 0;
#ifdef VECTORS
    for (; x + 32 <= bytes; x += 32) {
        const uint8_t *from = source + x;
        NAME(ints8) half = {HALF, HALF, HALF, HALF, HALF, HALF, HALF, HALF}, v;
        NAME(ints8) a = half, b = half, c = half, d = half;
        for (int j = 0; j < length; j++, from += stride) {
            LOAD8(v, from); a += v * weights[j];
            LOAD8(v, from + 8); b += v * weights[j];
            LOAD8(v, from + 16); c += v * weights[j];
            LOAD8(v, from + 24); d += v * weights[j];
        }
        for (int lane = 0; lane < 8; lane++) {
            out[x + lane] = NAME(clip8)(a[lane]);
            out[x + 8 + lane] = NAME(clip8)(b[lane]);
            out[x + 16 + lane] = NAME(clip8)(c[lane]);
            out[x + 24 + lane] = NAME(clip8)(d[lane]);
        }
    }
#endif
    for (; x < bytes; x++) {
        int32_t sum = HALF;
        for (int j = 0; j < length; j++) sum += source[x + j * stride] * weights[j];
        out[x] = NAME(clip8)(sum);
    }
}

static TARGET void NAME(vertical)(
    const uint8_t *source, size_t stride, size_t bytes, const Axis *axis, int origin, uint8_t *out,
    size_t out_stride) {
    for (int i = 0; i < axis->count; i++) {
        const int32_t *weights = axis->weights + (size_t)i * axis->taps;
        const uint8_t *from = source + (axis->first[i] - origin) * stride;
        NAME(column)(from, stride, weights, axis->length[i], bytes, out + i * out_stride);
    }
}

#undef LOAD4
#undef LOAD8
#undef HALF
