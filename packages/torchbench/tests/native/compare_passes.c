/* Compares the passes for this processor with the plain ones on random images: prints the instructions and the
 * number of crops, and fails on the first value that differs. */
#include <stdio.h>

#include "_resample_kernel.h"

static uint64_t state = 88172645463325252u;

static int below(int limit) { /* xorshift (Marsaglia, 2003) */
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (int)(state >> 33) % limit;
}

static int compare(int side) {
    Source source = {.full_width = 1 + below(side), .full_height = 1 + below(side)};
    source.width = source.full_width, source.height = source.full_height;
    source.stride = 3 * (size_t)source.width + below(5);
    uint8_t *pixels = malloc(source.stride * source.height); /* no slack: a read beyond the end can be noticed */
    for (size_t j = 0; j < source.stride * source.height; j++) pixels[j] = (uint8_t)(below(3) ? below(256) : -below(2));
    source.pixels = pixels;
    Crop crop = {.resized_width = 1 + below(side), .resized_height = 1 + below(side), .filter = 1 + below(5),
                 .vertical_first = below(2)};
    crop.left = below(crop.resized_width), crop.top = below(crop.resized_height);
    crop.width = 1 + below(crop.resized_width - crop.left), crop.height = 1 + below(crop.resized_height - crop.top);
    size_t stride = 3 * (size_t)crop.width + below(5), size = stride * crop.height;
    uint8_t *plain = calloc(size, 1), *fast = calloc(size, 1);
    resample_crop(&scalar_passes, &source, &crop, plain, stride);
    resample_crop(best_passes(), &source, &crop, fast, stride);
    int equal = memcmp(plain, fast, size) == 0;
    if (!equal) {
        printf("differs: %d x %d to %d x %d, filter %d\n", source.width, source.height, crop.resized_width,
               crop.resized_height, crop.filter);
    }
    free(pixels);
    free(plain);
    free(fast);
    return equal;
}

int main(void) {
    int crops = 0;
    for (int side = 1; side <= 160; side++) {
        for (int turn = 0; turn < 5; turn++, crops++) {
            if (!compare(side)) return 1;
        }
    }
    printf("%s: %d crops\n", best_passes()->name, crops);
    return 0;
}
