/* torchbench.loading._resample: Pillow's 8-bit resize, computed only for the pixels that a crop keeps. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "_resample_kernel.h"

static int valid_crop(int full_width, int full_height, const Crop *crop) {
    if (full_width < 1 || full_height < 1 || full_width > MAX_SIDE || full_height > MAX_SIDE) {
        PyErr_Format(PyExc_ValueError, "expected a source of 1 to %d pixels a side, got %d x %d", MAX_SIDE, full_width,
                     full_height);
        return 0;
    }
    if (crop->resized_width < 1 || crop->resized_height < 1 || crop->resized_width > MAX_SIDE
        || crop->resized_height > MAX_SIDE) {
        PyErr_Format(PyExc_ValueError, "expected a resized image of 1 to %d pixels a side, got %d x %d", MAX_SIDE,
                     crop->resized_width, crop->resized_height);
        return 0;
    }
    if (crop->left < 0 || crop->top < 0 || crop->width < 1 || crop->height < 1
        || crop->width > crop->resized_width - crop->left || crop->height > crop->resized_height - crop->top) {
        PyErr_Format(PyExc_ValueError, "expected a crop inside %d x %d, got %d x %d at (%d, %d)", crop->resized_width,
                     crop->resized_height, crop->width, crop->height, crop->left, crop->top);
        return 0;
    }
    if (filter_radius(crop->filter) == 0.0) {
        PyErr_Format(PyExc_ValueError, "expected filter 1 to 5 (Pillow's constants, not nearest), got %d",
                     crop->filter);
        return 0;
    }
    return 1;
}

/* An (H, W, 3) uint8 buffer whose rows are dense; its row stride is not negative. */
static int rgb_buffer(PyObject *object, int flags, const char *name, Py_buffer *view) {
    if (PyObject_GetBuffer(object, view, flags | PyBUF_STRIDES | PyBUF_FORMAT)) return 0;
    if (view->ndim == 3 && view->shape[2] == 3 && view->itemsize == 1 && view->format && !strcmp(view->format, "B")
        && view->shape[0] >= 1 && view->shape[1] >= 1 && view->shape[0] <= MAX_SIDE && view->shape[1] <= MAX_SIDE
        && view->strides[2] == 1 && view->strides[1] == 3
        && (view->shape[0] == 1 || view->strides[0] >= 3 * view->shape[1])) {
        return 1;
    }
    PyErr_Format(PyExc_ValueError, "expected %s to be (height, width, 3) uint8 with dense rows, not empty", name);
    PyBuffer_Release(view);
    return 0;
}

static int run(const Passes *passes, Source *source, const Crop *crop, const Py_buffer *from, const Py_buffer *to) {
    Window need = source_window(source->full_width, source->full_height, crop);
    source->pixels = from->buf;
    source->stride = (size_t)from->strides[0];
    source->width = (int)from->shape[1];
    source->height = (int)from->shape[0];
    if (need.left < source->left || need.top < source->top || need.right > source->left + source->width
        || need.bottom > source->top + source->height) {
        PyErr_SetString(PyExc_ValueError, "the given pixels do not cover what the crop is computed from");
        return 0;
    }
    if (to->shape[0] != crop->height || to->shape[1] != crop->width) {
        PyErr_Format(PyExc_ValueError, "expected out to be %d x %d x 3, as the crop", crop->height, crop->width);
        return 0;
    }
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = resample_crop(passes, source, crop, to->buf, (size_t)to->strides[0]);
    Py_END_ALLOW_THREADS
    if (status) PyErr_NoMemory();
    return !status;
}

PyDoc_STRVAR(resample_doc,
    "resample(pixels, origin, size, resized, box, filter, vertical_first, scalar, out)\n\n"
    "Fill `out` with the crop `box` (left, top, width, height) of the image resized to `resized` (width, height).\n"
    "`pixels` is a window of an image of `size`, its corner at `origin` (left, top).");

static PyObject *py_resample(PyObject *module, PyObject *args) {
    PyObject *pixels, *out;
    Py_buffer from, to;
    Source source;
    Crop crop;
    int scalar;
    if (!PyArg_ParseTuple(args, "O(ii)(ii)(ii)(iiii)ippO", &pixels, &source.left, &source.top, &source.full_width,
                          &source.full_height, &crop.resized_width, &crop.resized_height, &crop.left, &crop.top,
                          &crop.width, &crop.height, &crop.filter, &crop.vertical_first, &scalar, &out)) {
        return NULL;
    }
    if (!valid_crop(source.full_width, source.full_height, &crop)) return NULL;
    if (source.left < 0 || source.top < 0 || source.left > MAX_SIDE || source.top > MAX_SIDE) {
        PyErr_SetString(PyExc_ValueError, "expected the origin of the given pixels inside the image");
        return NULL;
    }
    if (!rgb_buffer(pixels, 0, "pixels", &from)) return NULL;
    if (!rgb_buffer(out, PyBUF_WRITABLE, "out", &to)) {
        PyBuffer_Release(&from);
        return NULL;
    }
    int done = run(scalar ? &scalar_passes : best_passes(), &source, &crop, &from, &to);
    PyBuffer_Release(&from);
    PyBuffer_Release(&to);
    if (!done) return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(window_doc,
    "source_window(size, resized, box, filter)\n\n"
    "The part (left, top, right, bottom) of an image of `size` that the crop is computed from.");

static PyObject *py_source_window(PyObject *module, PyObject *args) {
    int width, height;
    Crop crop = {0};
    if (!PyArg_ParseTuple(args, "(ii)(ii)(iiii)i", &width, &height, &crop.resized_width, &crop.resized_height,
                          &crop.left, &crop.top, &crop.width, &crop.height, &crop.filter)) {
        return NULL;
    }
    if (!valid_crop(width, height, &crop)) return NULL;
    Window window = source_window(width, height, &crop);
    return Py_BuildValue("(iiii)", window.left, window.top, window.right, window.bottom);
}

PyDoc_STRVAR(instructions_doc, "instructions()\n\nThe instruction set that runs: AVX2, NEON or scalar.");

static PyObject *py_instructions(PyObject *module, PyObject *unused) {
    return PyUnicode_FromString(best_passes()->name);
}

static PyMethodDef methods[] = {
    {"resample", py_resample, METH_VARARGS, resample_doc},
    {"source_window", py_source_window, METH_VARARGS, window_doc},
    {"instructions", py_instructions, METH_NOARGS, instructions_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "torchbench.loading._resample",
    .m_doc = "Pillow's 8-bit resize, computed only for the pixels that a crop keeps.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__resample(void) { return PyModuleDef_Init(&definition); }
