"""What files written years ago need from today's packages: names that were removed, as they were.

None changes a number: each is a name for something that is still there, or an argument that no longer means anything.
What a repository defines itself is left alone.
"""

import collections
import collections.abc
import functools
import inspect
import math
import os
import warnings
from types import ModuleType
from typing import Any

from . import retrieved
from .imports import after_import, where_missing
from .imports import install as watch_imports

# As they stand in a record, for whoever wants to know what was changed around the code that was run.
SHIMS = (
    "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1: torch.load reads whole pickles",
    "torch.hub trusts the repository that a file names without asking",
    "torchvision.datasets.ImageNet takes download=, and ignores it",
    "torchvision.models.utils.load_state_dict_from_url is torch.hub's",
    "torchvision.transforms: Scale and RandomSizedCrop by their old names",
    "torch._six, with what it held last",
    "PIL.Image: ANTIALIAS, LINEAR and CUBIC by their old names",
    "numpy: int, float, Inf, product and others by their old names",
    "collections: Mapping, Iterable and others, which are in collections.abc",
    "inspect.getargspec, from getfullargspec",
    "urllib.request.urlretrieve: without a network, the file that it fetched from there before",
)

_FILTERS = {"ANTIALIAS": "LANCZOS", "LINEAR": "BILINEAR", "CUBIC": "BICUBIC"}
_TRANSFORMS = {"Scale": "Resize", "RandomSizedCrop": "RandomResizedCrop"}
_OF_NUMPY = {
    "float_": "float64", "complex_": "complex128", "unicode_": "str_", "string_": "bytes_", "Inf": "inf", "NaN": "nan",
    "Infinity": "inf", "infty": "inf", "product": "prod", "cumproduct": "cumprod", "alltrue": "all", "sometrue": "any",
}  # fmt: skip
_OF_PYTHON = {"int": int, "float": float, "complex": complex, "object": object, "str": str, "bool": bool}


def install() -> None:
    """Be ready for the modules; nothing is imported for it."""
    os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    warnings.filterwarnings("ignore", "Environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD detected")
    warnings.filterwarnings("ignore", message="Environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")
    _alias(collections, {name: getattr(collections.abc, name) for name in collections.abc.__all__})
    _alias(inspect, {"getargspec": _getargspec})
    after_import("PIL.Image", lambda module: _rename(module, _FILTERS))
    after_import("torch.hub", _without_question)
    after_import("torchvision.transforms", lambda module: _rename(module, _TRANSFORMS))
    after_import("torchvision.datasets.imagenet", _without_download)
    after_import("numpy", _old_numpy)
    after_import("urllib.request", retrieved.keep)
    where_missing("torchvision.models.utils", _models_utils)
    where_missing("torch._six", _six)
    watch_imports()


def _alias(module: ModuleType, values: "dict[str, Any]") -> None:
    for name, value in values.items():
        if name not in vars(module):
            setattr(module, name, value)


def _rename(module: ModuleType, names: "dict[str, str]") -> None:
    _alias(module, {old: getattr(module, new) for old, new in names.items() if hasattr(module, new)})


def _old_numpy(module: ModuleType) -> None:
    _alias(module, _OF_PYTHON)
    _rename(module, _OF_NUMPY)


def _without_download(module: ModuleType) -> None:
    begin = module.ImageNet.__init__
    if "download" in inspect.signature(begin).parameters:
        return

    def __init__(self: Any, root: Any, split: str = "train", download: Any = None, **others: Any) -> None:  # noqa: N807
        del download
        begin(self, root, split, **others)

    module.ImageNet.__init__ = __init__


def _without_question(module: ModuleType) -> None:
    """Nobody is there to answer, and the code that asks is as strange as the one that it asks about."""
    for name in ("list", "help", "load"):
        ask = getattr(module, name)
        signature = inspect.signature(ask)
        if "trust_repo" in signature.parameters:
            setattr(module, name, _with_trust(ask, signature))


def _with_trust(ask: Any, signature: inspect.Signature) -> Any:
    @functools.wraps(ask)
    def trusting(*arguments: Any, **named: Any) -> Any:
        if "trust_repo" not in signature.bind_partial(*arguments, **named).arguments:
            named["trust_repo"] = True
        return ask(*arguments, **named)

    return trusting


def _models_utils(module: ModuleType) -> None:
    hub = __import__("torch.hub", fromlist=["hub"])
    _alias(module, {"load_state_dict_from_url": hub.load_state_dict_from_url})


def _six(module: ModuleType) -> None:
    _alias(
        module,
        {
            "string_classes": (str, bytes), "int_classes": int, "container_abcs": collections.abc, "inf": math.inf,
            "nan": math.nan, "PY2": False, "PY3": True, "PY37": True,
        },
    )  # fmt: skip


ArgSpec = collections.namedtuple("ArgSpec", "args varargs keywords defaults")  # noqa: PYI024 - what it was


def _getargspec(function: Any) -> ArgSpec:
    return ArgSpec(*inspect.getfullargspec(function)[:4])
