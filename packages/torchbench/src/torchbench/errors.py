"""The library's errors: one class for each reaction of the caller.

TorchbenchError
├── ArgumentError     an argument of benchmark() cannot work       (also a ValueError)
├── DataError         the images on disk are not what is needed
│   ├── DataNotFound  nothing usable at data_root                  (also a FileNotFoundError)
│   └── BrokenImage   a file is not a whole image; names the file
├── OutputError       the model's output has the wrong form        (also a ValueError)
└── OutOfMemory       the model does not fit even with one image   (also a RuntimeError)
"""


class TorchbenchError(Exception):
    """Base of every error that torchbench raises on purpose."""


class ArgumentError(TorchbenchError, ValueError):
    """An argument cannot work; the message says what was expected and what was found."""


class DataError(TorchbenchError):
    """The images on disk are not what the benchmark needs."""


class DataNotFound(DataError, FileNotFoundError):  # noqa: N818 - reads as the sentence it is
    """No images in any known layout at the place that was given."""


class BrokenImage(DataError):  # noqa: N818 - reads as the sentence it is
    """A file that should be an image is truncated, empty or something else."""


class OutputError(TorchbenchError, ValueError):
    """The model's output cannot be scored; the message says how to change it."""


class OutOfMemory(TorchbenchError, RuntimeError):  # noqa: N818 - reads as the sentence it is
    """The model does not fit into memory even one image at a time."""
