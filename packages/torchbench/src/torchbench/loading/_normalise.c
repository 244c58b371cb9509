/* Levels to values: uint8 (..., height, width, 3) to float32 (..., 3, height, width) by a table of 3 x 256 values.
 *
 * The table holds what the transform itself gives for every level, so nothing is computed here and nothing can differ.
 * The GIL is released meanwhile.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

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

static PyObject *look_up(PyObject *module, PyObject *args)
{
    Py_buffer pixels, table, values;
    Py_ssize_t images, size;
    if (!PyArg_ParseTuple(args, "y*y*w*n", &pixels, &table, &values, &images))
        return NULL;
    int fits = images > 0 && pixels.len % (3 * images) == 0 && values.len == pixels.len * (Py_ssize_t)sizeof(float)
        && table.len == (Py_ssize_t)(3 * LEVELS * sizeof(float));
    if (fits) {
        size = pixels.len / (3 * images);
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t i = 0; i < images; i++)
            image_values((const uint8_t *)pixels.buf + 3 * size * i, table.buf, (float *)values.buf + 3 * size * i,
                         size);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&pixels);
    PyBuffer_Release(&table);
    PyBuffer_Release(&values);
    if (!fits) {
        PyErr_SetString(PyExc_ValueError, "expected uint8 (images, h, w, 3), a float32 table (3, 256) and room for "
                                          "float32 (images, 3, h, w)");
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
