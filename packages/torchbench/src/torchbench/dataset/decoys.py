"""A platform's copy of a test set, whose folders are named as classes and say nothing about what the images show.

It carries a file that says so, and then nothing compares its folders with what is known about the real ones. Beside it
lies what was learnt of its files when it was made, so that whoever may only read the copy need not read all of it.
"""

from pathlib import Path

from torchbench.dataset.memory import Memory

DECOYS_FILE = "classes-are-decoys.txt"
MEMORY_FILE = "files-read.npz"
DECOYS_SENTENCE = "the classes of these folders are decoys: no figure that comes from them means anything"


def has_decoys(root: Path) -> bool:
    """Whether the data folder says that its classes are decoys."""
    return (root / DECOYS_FILE).is_file()


def memory_beside(root: Path) -> Memory | None:
    """What was learnt of the copy's files when it was made; None for data that are no copy, or where it is missing."""
    file = root / MEMORY_FILE
    return Memory(file) if has_decoys(root) and file.is_file() else None
