"""Inside the sandbox: an empty virtual environment, what is to be installed in it, or the list of what is there.

Reads what is wanted from SOTABENCH_ENVIRONMENT. To list, uv starts the environment's own interpreter, and that may be
whatever a package put in its place: what was told the addresses of an index does not list.
"""

import glob
import json
import os
import subprocess
import sys

WANTED = json.loads(os.environ.get("SOTABENCH_ENVIRONMENT", "{}"))
PIP = """#!/bin/sh
# The platform's packages are left alone whatever is asked for: UV_EXCLUDE names them.
command=$1
[ $# -gt 0 ] && shift
for word do
    shift
    case "$word" in
        --user | --use-pep517) ;;  # uv installs nowhere else, and in no other way
        *) set -- "$@" "$word" ;;
    esac
done
exec {uv} pip ${{command:+"$command"}} "$@"
"""
# `python -m pip` finds it before the base's own pip, which knows neither the index nor what is to be left alone.
PIP_MODULE = {
    "__init__.py": '''"""The platform's pip, which is uv's, as a module."""

import os
import subprocess
import sys


def main(args=None):
    words = sys.argv[1:] if args is None else args
    return subprocess.call([os.path.join(sys.prefix, "bin", "pip"), *words])
''',
    "__main__.py": "import sys\n\nimport pip\n\nsys.exit(pip.main())\n",
}


def main() -> None:
    """Ends with uv's own exit code where that is not 0."""
    folder, uv = WANTED["folder"], WANTED["uv"]
    python = os.path.join(folder, "bin", "python")
    if WANTED["make"]:
        run(uv, "venv", "--quiet", "--allow-existing", "--relocatable", "--python", WANTED["base"], folder)
        write(os.path.join(packages(folder), "_sotabench.pth"), WANTED["startup"], 0o644)
        for name in ("pip", "pip3"):
            write(os.path.join(folder, "bin", name), PIP.format(uv=uv), 0o755)
        os.makedirs(os.path.join(packages(folder), "pip"), exist_ok=True)
        for name, text in PIP_MODULE.items():
            write(os.path.join(packages(folder), "pip", name), text, 0o644)
    if WANTED["install"]:
        run(uv, "pip", "install", "--python", python, *WANTED["install"])
        # Without site: what was installed may hold a .pth file, and such code is not run for this.
        subprocess.run([WANTED["base"], "-I", "-S", "-m", "compileall", "-q", "-j", "0", packages(folder)], check=False)
    if WANTED["frozen"]:
        frozen = subprocess.run([uv, "pip", "freeze", "--python", python], capture_output=True, check=False, text=True)
        if frozen.returncode:
            sys.exit(frozen.stderr)
        write(WANTED["frozen"], frozen.stdout, 0o644)


def packages(folder: str) -> str:
    """Where an environment holds them."""
    (found,) = glob.glob(os.path.join(folder, "lib", "python*", "site-packages"))
    return found


def run(*words: str) -> None:
    """Run uv, its words in the log."""
    code = subprocess.run(words, stderr=sys.stdout.fileno(), check=False).returncode
    if code:
        sys.exit(code)


def write(path: str, text: str, mode: int) -> None:
    """A file with that mode."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


if __name__ == "__main__":
    main()
