"""Write the package's table of ReaL labels from the authors' real.json, or show that it still says the same.

    python tools/companion_tables.py real.json [--check]

real.json is a list of 50,000 lists of class indices, in the order of the validation images' numbers.
"""

import argparse
import json
import sys
from pathlib import Path

from torchbench.dataset.real_labels import IMAGES, real_labels, write_real_labels


def main() -> None:
    """Write or check, and say which."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    facts = json.loads(arguments.labels.read_bytes())
    if len(facts) != IMAGES or not all(0 <= label < 1000 for labels in facts for label in labels):
        sys.exit(f"{arguments.labels}: expected 50,000 lists of class indices 0 ... 999")
    if not arguments.check:
        write_real_labels(facts)
    if list(map(list, real_labels() or ())) != facts:
        sys.exit("the package's table differs from this file")
    print(f"the package's table says what this file says: {sum(map(bool, facts)):,} of {IMAGES:,} images with labels")


if __name__ == "__main__":
    main()
