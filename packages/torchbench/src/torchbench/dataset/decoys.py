"""A platform's copy of a test set, whose folders are named as classes and say nothing about what the images show.

It carries a file that says so, and then nothing compares its folders with what is known about the real ones.
"""

from pathlib import Path

DECOYS_FILE = "classes-are-decoys.txt"
DECOYS_SENTENCE = "the classes of these folders are decoys: no figure that comes from them means anything"


def has_decoys(root: Path) -> bool:
    """Whether the data folder says that its classes are decoys."""
    return (root / DECOYS_FILE).is_file()
