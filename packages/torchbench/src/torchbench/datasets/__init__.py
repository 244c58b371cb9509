"""Where existing files look for download helpers; the predecessor's data sets of other tasks are not here."""

from typing import Never

from torchbench.elsewhere import not_here

_ELSEWHERE = {"ADE20K", "CamVid", "Cityscapes", "CocoDetection", "CoNLL2003", "PASCALContext", "WikiText103"}


def __getattr__(name: str) -> Never:
    """The error of a data set that existing files may import."""
    if name in _ELSEWHERE:
        raise not_here(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
