/* torchbench.loading._jpeg: the part of a plain JPEG that a crop needs, with libjpeg's values to the last bit. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "_jpeg_decode.h"

/* Workspaces are handed out and taken back while the interpreter's lock is held. */
#define KEPT_WORKSPACES 16
#define KEPT_BYTES (32u << 20)

static Workspace *kept[KEPT_WORKSPACES];
static int kept_count = 0;

static Workspace *workspace_get(void) {
    return kept_count ? kept[--kept_count] : calloc(1, sizeof(Workspace));
}

static void workspace_put(Workspace *space) {
    if (kept_count < KEPT_WORKSPACES && space->size <= KEPT_BYTES) {
        kept[kept_count++] = space;
    } else {
        free(space->memory);
        free(space);
    }
}

PyDoc_STRVAR(header_doc,
    "header(data)\n\n"
    "(width, height, metadata) of a plain JPEG, None for any other bytes. `metadata` is true where the file has\n"
    "segments that Pillow interprets, and might refuse.");

static PyObject *py_header(PyObject *module, PyObject *object) {
    Py_buffer data;
    Jpeg jpeg;
    if (PyObject_GetBuffer(object, &data, PyBUF_SIMPLE)) return NULL;
    int plain = read_header(&jpeg, data.buf, (size_t)data.len);
    PyBuffer_Release(&data);
    if (!plain) Py_RETURN_NONE;
    return Py_BuildValue("(iiO)", jpeg.width, jpeg.height, jpeg.metadata ? Py_True : Py_False);
}

static int fits(const Py_buffer *out, const Jpeg *jpeg, Area window) {
    return window.left >= 0 && window.top >= 0 && window.right <= jpeg->width && window.bottom <= jpeg->height
        && window.left < window.right && window.top < window.bottom && out->ndim == 3 && out->itemsize == 1
        && out->shape[0] == window.bottom - window.top && out->shape[1] == window.right - window.left
        && out->shape[2] == 3 && out->strides[2] == 1 && out->strides[1] == 3
        && (out->shape[0] == 1 || out->strides[0] >= 3 * out->shape[1]);
}

PyDoc_STRVAR(decode_doc,
    "decode(data, window, out)\n\n"
    "Fill uint8 `out` (height, width, 3) with the window (left, top, right, bottom) of a plain JPEG in RGB.\n"
    "False, with `out` in any state, where the data are not in perfect order.");

static PyObject *py_decode(PyObject *module, PyObject *args) {
    Py_buffer data, out;
    PyObject *target;
    Jpeg jpeg;
    Area window;
    int done = 0, matching = 1;
    if (!PyArg_ParseTuple(args, "y*(iiii)O", &data, &window.left, &window.top, &window.right, &window.bottom, &target)) {
        return NULL;
    }
    if (PyObject_GetBuffer(target, &out, PyBUF_STRIDES | PyBUF_WRITABLE)) {
        PyBuffer_Release(&data);
        return NULL;
    }
    Workspace *space = workspace_get();
    if (space && read_header(&jpeg, data.buf, (size_t)data.len) && (matching = fits(&out, &jpeg, window))) {
        Py_BEGIN_ALLOW_THREADS
        done = decode(&jpeg, space, window, out.buf, (size_t)out.strides[0]);
        Py_END_ALLOW_THREADS
    }
    if (space) workspace_put(space);
    PyBuffer_Release(&data);
    PyBuffer_Release(&out);
    if (!matching) {
        PyErr_SetString(PyExc_ValueError, "expected a window inside the image, and out as (height, width, 3) bytes");
        return NULL;
    }
    return PyBool_FromLong(done);
}

static PyMethodDef methods[] = {
    {"header", py_header, METH_O, header_doc},
    {"decode", py_decode, METH_VARARGS, decode_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "torchbench.loading._jpeg",
    .m_doc = "The part of a plain JPEG that a crop needs, with libjpeg's values to the last bit.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__jpeg(void) { return PyModuleDef_Init(&definition); }
