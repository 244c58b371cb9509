"""Spellings of one model's name that meet, and names that must not."""

import re
import unicodedata

_BETWEEN_DIGITS = re.compile(r"(?<=\d)[^\w+]+(?=\d)|(?<=\d)_+(?=\d)")
_SEPARATORS = re.compile(r"[^\w+-]+|_+|(?<!\d)-+|-+(?!\d)")
_MULTIPLICATION = str.maketrans({"\N{MULTIPLICATION SIGN}": "x", "\N{MATHEMATICAL ITALIC SMALL X}": "x"})
LONGEST = 300


def model_key(name: str) -> str:
    """What all spellings of the name have in common: `resnext101-32x8d` for `ResNeXt-101 32x8d` and `resnext101_32x8d`.

    Upper and lower case, spaces and punctuation do not count, except that two numbers stay two numbers (`B1 1x` is not
    `B11x`) and that `+` stays, which is part of a name (`NFNet-F4+`).
    """
    text = unicodedata.normalize("NFKC", name[:LONGEST].translate(_MULTIPLICATION)).casefold()
    key = _SEPARATORS.sub("", _BETWEEN_DIGITS.sub("-", text))
    return key or " ".join(text.split())


def architecture_of(model: str, catalogue: str) -> str:
    """The part of a catalogue's model name that names the architecture; the rest names the weights."""
    if catalogue == "torchvision":
        return model.split(" ", 1)[0]
    if catalogue == "timm":
        return model.split(".", 1)[0]
    if catalogue == "mmpretrain":
        return model.split("_", 1)[0]
    return model
