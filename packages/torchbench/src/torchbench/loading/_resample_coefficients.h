/* Weights of one axis of a resize, for the outputs that a crop keeps, as Pillow computes them for 8-bit images:
 * in double precision over the full output, normalised, then rounded to 22 fractional bits.
 * Compile with -ffp-contract=off: a fused multiply-add rounds differently. */
#ifndef TORCHBENCH_RESAMPLE_COEFFICIENTS_H
#define TORCHBENCH_RESAMPLE_COEFFICIENTS_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#define PRECISION_BITS 22
#define MAX_SIDE (1 << 24) /* Pillow keeps the source box in float32, exact up to here */

/* The numbers are Pillow's public constants Image.Resampling. */
enum { LANCZOS = 1, BILINEAR = 2, BICUBIC = 3, BOX = 4, HAMMING = 5 };

typedef struct {
    int count;        /* outputs */
    int taps;         /* stride of weights, a multiple of 4 */
    int longest;      /* source samples of the output with the most */
    int *first;       /* first source index of each output */
    int *length;      /* source samples of each output */
    int32_t *weights; /* count x taps, zero beyond the length */
    int32_t *pairs;   /* count x taps: of two weights the upper halves as two int16, then their lower LOW_BITS */
} Axis;

#define LOW_BITS 11

#define PI 3.14159265358979323846

static double sinc(double x) {
    if (x == 0.0) return 1.0;
    x *= PI;
    return sin(x) / x;
}

static double weight_at(int filter, double x) {
    if (filter == LANCZOS) return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
    if (filter == BOX) return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
    if (x < 0.0) x = -x;
    if (filter == BILINEAR) return x < 1.0 ? 1.0 - x : 0.0;
    if (filter == HAMMING) {
        if (x == 0.0) return 1.0;
        if (x >= 1.0) return 0.0;
        x = x * PI;
        return sin(x) / x * (0.54f + 0.46f * cos(x));
    }
    /* Bicubic (Keys 1981) with a = -0.5. */
    if (x < 1.0) return ((-0.5 + 2.0) * x - (-0.5 + 3.0)) * x * x + 1;
    if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * -0.5;
    return 0.0;
}

static double filter_radius(int filter) {
    switch (filter) {
    case BOX: return 0.5;
    case BILINEAR: case HAMMING: return 1.0;
    case BICUBIC: return 2.0;
    case LANCZOS: return 3.0;
    default: return 0.0;
    }
}

/* Source samples [*first, *end) that output `index` reads. */
static void source_range(int in_size, int out_size, int filter, int index, int *first, int *end) {
    double scale = (double)in_size / out_size;
    double radius = filter_radius(filter) * (scale < 1.0 ? 1.0 : scale);
    double center = (index + 0.5) * scale;
    *first = (int)(center - radius + 0.5);
    *end = (int)(center + radius + 0.5);
    if (*first < 0) *first = 0;
    if (*end > in_size) *end = in_size;
}

static void axis_free(Axis *axis) {
    free(axis->first);
    free(axis->length);
    free(axis->weights);
    free(axis->pairs);
}

/* One output's weights; `scratch` holds `taps` doubles. */
static void axis_fill(Axis *axis, int row, int in_size, int out_size, int filter, int index, double *scratch) {
    double scale = (double)in_size / out_size;
    double shrink = 1.0 / (scale < 1.0 ? 1.0 : scale);
    double center = (index + 0.5) * scale;
    double sum = 0.0;
    int32_t *weights = axis->weights + (size_t)row * axis->taps;
    int first, end;
    source_range(in_size, out_size, filter, index, &first, &end);
    int length = end - first;
    for (int j = 0; j < length; j++) {
        scratch[j] = weight_at(filter, (j + first - center + 0.5) * shrink);
        sum += scratch[j];
    }
    for (int j = 0; j < length; j++) {
        double weight = sum != 0.0 ? scratch[j] / sum : scratch[j];
        weight *= 1 << PRECISION_BITS;
        weights[j] = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    axis->first[row] = first;
    axis->length[row] = length;
    if (length > axis->longest) axis->longest = length;
}

/* Two int16 in one int32, the first one in the lower half. */
static int32_t int16_pair(int32_t first, int32_t second) {
    return (int32_t)(((uint32_t)first & 0xffff) | (uint32_t)second << 16);
}

/* weight = upper * 2^LOW_BITS + lower, both of which fit the 16-bit multiply-and-add of x86. */
static void axis_split(Axis *axis) {
    size_t size = (size_t)axis->count * axis->taps;
    for (size_t j = 0; j < size; j += 2) {
        const int32_t *weight = axis->weights + j;
        int32_t low = (1 << LOW_BITS) - 1;
        axis->pairs[j] = int16_pair(weight[0] >> LOW_BITS, weight[1] >> LOW_BITS);
        axis->pairs[j + 1] = int16_pair(weight[0] & low, weight[1] & low);
    }
}

/* Weights of outputs [offset, offset + count) out of out_size; 0, or -1 when memory is short;
 * axis_free releases it either way. */
static int axis_make(Axis *axis, int in_size, int out_size, int filter, int offset, int count) {
    double scale = (double)in_size / out_size;
    double support = ceil(filter_radius(filter) * (scale < 1.0 ? 1.0 : scale)) * 2 + 1;
    axis->count = count;
    axis->longest = 0;
    axis->taps = ((support < (double)in_size ? (int)support : in_size) + 3) / 4 * 4;
    axis->first = malloc(sizeof(int) * count);
    axis->length = malloc(sizeof(int) * count);
    axis->weights = calloc((size_t)count * axis->taps, sizeof(int32_t));
    axis->pairs = malloc((size_t)count * axis->taps * sizeof(int32_t));
    double *scratch = malloc(sizeof(double) * axis->taps);
    if (!axis->first || !axis->length || !axis->weights || !axis->pairs || !scratch) {
        free(scratch);
        return -1;
    }
    for (int row = 0; row < count; row++) {
        axis_fill(axis, row, in_size, out_size, filter, offset + row, scratch);
    }
    axis_split(axis);
    free(scratch);
    return 0;
}

#endif
