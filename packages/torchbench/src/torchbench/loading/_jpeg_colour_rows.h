/* Rows of samples to rows of RGB, as libjpeg does it: chroma enlarged by a triangle filter, then BT.601 with 16
 * fractional bits. Included once for each instruction set: NAME(f) gives the suffix, TARGET the instructions; the
 * compiler turns the loops into vectors. */

/* Three quarters of the nearer row, one quarter of the farther, times four. */
static TARGET void NAME(blend_rows)(const uint8_t *restrict near, const uint8_t *restrict far, int count, uint16_t *restrict sums) {
    for (int x = 0; x < count; x++) sums[x] = (uint16_t)(3 * near[x] + far[x]);
}

/* `count` samples to twice as many; sums[-1] and sums[count] exist. The biases alternate as libjpeg's do. */
static TARGET void NAME(widen_sums)(const uint16_t *restrict sums, int count, uint8_t *restrict out) {
    for (int x = 0; x < count; x++) {
        out[2 * x] = (uint8_t)((3 * sums[x] + sums[x - 1] + 8) >> 4);
        out[2 * x + 1] = (uint8_t)((3 * sums[x] + sums[x + 1] + 7) >> 4);
    }
}

static TARGET void NAME(widen_samples)(const uint16_t *restrict samples, int count, uint8_t *restrict out) {
    for (int x = 0; x < count; x++) {
        out[2 * x] = (uint8_t)((3 * samples[x] + samples[x - 1] + 1) >> 2);
        out[2 * x + 1] = (uint8_t)((3 * samples[x] + samples[x + 1] + 2) >> 2);
    }
}

static inline TARGET uint8_t NAME(clip)(int32_t value) {
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static TARGET void NAME(colour_tail)(
    const uint8_t *luma, const uint8_t *blue, const uint8_t *red, int begin, int end, uint8_t *restrict out) {
    for (int x = begin; x < end; x++) {
        int32_t y = luma[x], cb = blue[x] - 128, cr = red[x] - 128;
        out[3 * x] = NAME(clip)(y + ((91881 * cr + 32768) >> 16));
        out[3 * x + 1] = NAME(clip)(y + ((-22554 * cb - 46802 * cr + 32768) >> 16));
        out[3 * x + 2] = NAME(clip)(y + ((116130 * cb + 32768) >> 16));
    }
}

static TARGET void NAME(grey_row)(const uint8_t *luma, int count, uint8_t *restrict out) {
    for (int x = 0; x < count; x++) out[3 * x] = out[3 * x + 1] = out[3 * x + 2] = luma[x];
}
