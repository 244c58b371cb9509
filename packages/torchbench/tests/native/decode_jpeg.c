/* A plain JPEG from the standard input to RGB on the standard output: decode_jpeg left top right bottom. */
#include <stdio.h>

#include "_jpeg_decode.h"

int main(int count, char **values) {
    static uint8_t data[1 << 20];
    static Workspace space;
    static Jpeg jpeg;
    if (count != 5) return 2;
    Area window = {atoi(values[1]), atoi(values[2]), atoi(values[3]), atoi(values[4])};
    size_t size = fread(data, 1, sizeof data, stdin), stride = 3 * (size_t)(window.right - window.left);
    uint8_t *out = malloc(stride * (window.bottom - window.top));
    if (!read_header(&jpeg, data, size) || !decode(&jpeg, &space, window, out, stride)) return 1;
    fwrite(out, 1, stride * (window.bottom - window.top), stdout);
    free(out);
    free(space.memory);
    return 0;
}
