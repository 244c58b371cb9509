from torchbench.loading.resample import Pixels, Size, Window

def resample(
    pixels: Pixels,
    origin: Size,
    size: Size,
    resized: Size,
    box: Window,
    filter: int,  # noqa: A002 - positional in C, named as in Pillow
    vertical_first: bool,
    scalar: bool,
    out: Pixels,
) -> None: ...
def source_window(size: Size, resized: Size, box: Window, filter: int) -> Window: ...  # noqa: A002 - as above
def instructions() -> str: ...
