"""Measure everything, or the questions that are named, and write the tables of docs/performance.md.

Usage: python benchmarks/run.py [loader] [cache] [evaluation] [memory] [site] [push] [--quick]

--quick measures little and prints the tables without writing them.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from measuring import load_average

HERE = Path(__file__).resolve().parent
TABLES = HERE.parent / "docs" / "tables"
QUESTIONS = ("loader", "cache", "evaluation", "memory", "site", "push")


def main() -> int:
    """Ask each question in a process of its own; the number of those that failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", nargs="*", help=f"some of {', '.join(QUESTIONS)}; default: all of them")
    parser.add_argument("--quick", action="store_true", help="measure little, print the tables, write nothing")
    asked = parser.parse_args()
    unknown = set(asked.questions) - set(QUESTIONS)
    if unknown:
        parser.error(f"expected some of {', '.join(QUESTIONS)}; got {', '.join(sorted(unknown))}")
    load = load_average()  # before our own work raises it
    return sum(not answered(question, load, quick=asked.quick) for question in asked.questions or QUESTIONS)


def answered(question: str, load: float, *, quick: bool) -> bool:
    """Whether a question was answered; its table is printed, and written for the documentation."""
    print(f"measuring: {question}", file=sys.stderr, flush=True)
    command = [
        sys.executable,
        str(HERE / f"{question}.py"),
        "--load-before",
        str(load),
        *(["--quick"] if quick else []),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", check=False)
    if done.returncode != 0:
        print(f"{question} failed with exit code {done.returncode}", file=sys.stderr)
        return False
    print(done.stdout, flush=True)
    if not quick:
        TABLES.mkdir(parents=True, exist_ok=True)
        origin = f"<!-- written by benchmarks/{question}.py -->"
        (TABLES / f"performance-{question}.md").write_text(f"{origin}\n\n{done.stdout}", encoding="utf-8")
    return True


if __name__ == "__main__":
    sys.exit(main())
