"""Spellings of one model's name that meet, and names that must not."""

import re
import unicodedata

_BETWEEN_DIGITS = re.compile(r"(?<=\d)[^\w+]+(?=\d)|(?<=\d)_+(?=\d)")
_SEPARATORS = re.compile(r"[^\w+-]+|_+|(?<!\d)-+|-+(?!\d)")
_MULTIPLICATION = str.maketrans({"\N{MULTIPLICATION SIGN}": "x", "\N{MATHEMATICAL ITALIC SMALL X}": "x"})
_ARXIV = re.compile(r"(?<![\d.])(\d{4}\.\d{4,5})(?:v\d{1,3})?(?!\.?\d)", re.ASCII)
_ARXIV_TO_2007 = re.compile(
    r"(?:^|[\s:]|/abs/|/pdf/)([a-z-]{2,12})(?:\.[A-Z]{2})?/(\d{7})(?:v\d{1,3})?(?!\.?\d)", re.ASCII
)
_PWC = re.compile(r"[a-z0-9-]{1,200}")
LONGEST = 300


def model_key(name: str) -> str:
    """What all spellings of the name have in common: `resnext101-32x8d` for `ResNeXt-101 32x8d` and `resnext101_32x8d`.

    Upper and lower case, spaces and punctuation do not count, except that two numbers stay two numbers (`B1 1x` is not
    `B11x`) and that `+` stays, which is part of a name (`NFNet-F4+`).
    """
    text = unicodedata.normalize("NFKC", name[:LONGEST].translate(_MULTIPLICATION)).casefold()
    key = _SEPARATORS.sub("", _BETWEEN_DIGITS.sub("-", text))
    return (key or "".join(text.split()))[:LONGEST]


def architecture_of(model: str, catalogue: str) -> str:
    """The part of a catalogue's model name that names the architecture; the rest names the weights."""
    if catalogue == "torchvision":
        return model.split(" ", 1)[0]
    if catalogue == "timm":
        return model.split(".", 1)[0]
    if catalogue == "mmpretrain":
        return model.split("_", 1)[0]
    return model


def arxiv_id(text: str) -> str:
    """The id, without its version, in `1611.05431v2`, `arXiv:1611.05431` or an address at arXiv; else nothing.

    Up to 2007 ids began with the archive. `math.GT/0309136` and `math/0309136` are one: arXiv's own form is the second.
    """
    if found := _ARXIV.search(text):
        return found[1]
    found = _ARXIV_TO_2007.search(text)
    return f"{found[1]}/{found[2]}" if found else ""


def pwc_id(text: str) -> str:
    """The last part of a paper's address at Papers With Code, given alone or with the address; else nothing."""
    found = text.strip().rstrip("/").rsplit("/", 1)[-1].lower()
    return found if _PWC.fullmatch(found) else ""
