/* Levels to values: uint8 (..., height, width, 3) to float32 (..., 3, height, width) by a table of 3 x 256 values.
 *
 * The table holds what the transform itself gives for every level, so nothing is computed here and nothing can differ.
 * The GIL is released meanwhile.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#if defined(__SSE2__) || defined(_M_X64)
#include <xmmintrin.h>
#define STREAMS
#endif

#define LEVELS 256

static void image_values(const uint8_t *restrict pixels, const float *restrict table, float *restrict values,
                         Py_ssize_t size)
{
    float *restrict red = values, *restrict green = values + size, *restrict blue = values + 2 * size;
    for (Py_ssize_t i = 0; i < size; i++) {
        red[i] = table[pixels[3 * i]];
        green[i] = table[LEVELS + pixels[3 * i + 1]];
        blue[i] = table[2 * LEVELS + pixels[3 * i + 2]];
    }
}

#ifdef STREAMS
/* A batch is larger than any cache: writing past the caches spares reading every line of it first. */
static int can_stream(const float *values, Py_ssize_t size)
{
    return (uintptr_t)values % 16 == 0 && size % 4 == 0;
}

static void stream_four(float *place, const float *table, const uint8_t *levels)
{
    _mm_stream_ps(place, _mm_setr_ps(table[levels[0]], table[levels[3]], table[levels[6]], table[levels[9]]));
}

static void stream_values(const uint8_t *restrict pixels, const float *restrict table, float *restrict values,
                          Py_ssize_t size)
{
    for (Py_ssize_t i = 0; i < size; i += 4)
        for (int channel = 0; channel < 3; channel++)
            stream_four(values + channel * size + i, table + channel * LEVELS, pixels + 3 * i + channel);
    _mm_sfence(); /* before another thread is told that the values are there */
}
#endif

static void batch_values(const uint8_t *pixels, const float *table, float *values, Py_ssize_t images, Py_ssize_t size)
{
    void (*one)(const uint8_t *, const float *, float *, Py_ssize_t) = image_values;
#ifdef STREAMS
    if (can_stream(values, size))
        one = stream_values;
#endif
    for (Py_ssize_t i = 0; i < images; i++)
        one(pixels + 3 * size * i, table, values + 3 * size * i, size);
}

static int aligned(const Py_buffer *floats) { return (uintptr_t)floats->buf % sizeof(float) == 0; }

static PyObject *look_up(PyObject *module, PyObject *args)
{
    Py_buffer pixels, table, values;
    Py_ssize_t images;
    if (!PyArg_ParseTuple(args, "y*y*w*n", &pixels, &table, &values, &images))
        return NULL;
    int fits = images > 0 && images <= pixels.len / 3 && pixels.len % (3 * images) == 0
        && values.len / (Py_ssize_t)sizeof(float) == pixels.len && values.len % (Py_ssize_t)sizeof(float) == 0
        && table.len == (Py_ssize_t)(3 * LEVELS * sizeof(float)) && aligned(&table) && aligned(&values);
    if (fits) {
        Py_ssize_t size = pixels.len / (3 * images);
        Py_BEGIN_ALLOW_THREADS
        batch_values(pixels.buf, table.buf, values.buf, images, size);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&pixels);
    PyBuffer_Release(&table);
    PyBuffer_Release(&values);
    if (!fits) {
        PyErr_SetString(PyExc_ValueError, "expected uint8 (images, h, w, 3), an aligned float32 table (3, 256) and "
                                          "aligned room for float32 (images, 3, h, w)");
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"look_up", look_up, METH_VARARGS,
     "look_up(pixels, table, values, images)\n\nFill float32 `values` (images, 3, h, w) with the entries of `table` "
     "(3, 256)\nfor uint8 `pixels` (images, h, w, 3). All are C-contiguous buffers."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "torchbench.loading._normalise",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__normalise(void)
{
    return PyModuleDef_Init(&definition);
}
