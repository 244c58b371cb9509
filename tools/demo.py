"""Run an example repository's sotabench.py on the photographs in a folder, as its owner would; show its records.

Usage: demo.py PHOTOGRAPHS
"""

import os
import subprocess
import sys
from pathlib import Path

from benchrecord import read_records

ROOT = Path(__file__).resolve().parent.parent


def main(photographs: Path) -> int:
    """Evaluate the three models of examples/efficientnet_lite; returns the exit code of its sotabench.py."""
    repository = ROOT / "examples" / "efficientnet_lite"
    records = ROOT / "build" / "demo" / "results.json"
    records.unlink(missing_ok=True)
    settings = {
        "SOTABENCH_DATA_ROOT": os.path.relpath(photographs, repository),
        "SOTABENCH_STORE_FILENAME": os.path.relpath(records, repository),
    }
    print(f"$ cd {repository.relative_to(ROOT)} && " + " ".join(f"{k}={v}" for k, v in settings.items()), end=" ")
    print("python sotabench.py", flush=True)
    command = [sys.executable, "sotabench.py"]
    code = subprocess.run(command, cwd=repository, env={**os.environ, **settings}, check=False).returncode
    if code == 0:
        count, where = len(read_records(records)), records.relative_to(ROOT)
        print(f"\n{count} records in {where}, each with its predictions beside it")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
