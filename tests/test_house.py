"""What holds for the whole repository: its budget of size, and that its pages speak of what is there."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LONGEST_FILE = 400
LONGEST_BODY = 40
MOST_PARAMETERS = 6
PUBLIC_SIGNATURES = {"benchmark"}


def python_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [ROOT / name for name in listed.stdout.split() if (ROOT / name).exists() and "/migrations/" not in name]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) and len(function.body) > 1 else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    arguments = function.args
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return len([name for name in names if name not in {"self", "cls"}])


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_file_and_its_functions_keep_the_budget_of_size(path):
    assert path.read_text(encoding="utf-8").count("\n") <= LONGEST_FILE
    for function in functions(path):
        where = f"{path.name}:{function.lineno} {function.name}"
        assert body_lines(function) <= LONGEST_BODY, where
        if function.name not in PUBLIC_SIGNATURES and not path.name.startswith("test_"):
            assert parameters(function) <= MOST_PARAMETERS, where


def test_every_word_of_the_makefile_is_explained_by_its_help():
    makefile = (ROOT / "Makefile").read_text()
    words = set(re.search(r"\.PHONY:(.*)", makefile)[1].split()) - {"help"}
    assert words == set(re.findall(r'echo "make ([\w-]+)', makefile))


def test_ci_runs_the_test_command_of_the_readme():
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert "make test" in (ROOT / "README.md").read_text()


def test_every_environment_variable_of_the_library_is_documented():
    settings = (ROOT / "packages/torchbench/src/torchbench/settings.py").read_text()
    read = set(re.findall(r'_(?:flag|path)\(environ, "(\w+)"\)|environ\.get\("(\w+)"', settings))
    names = {name for pair in read for name in pair if name}
    assert names, "the pattern above no longer finds the settings"
    pages = "".join(page.read_text() for page in (ROOT / "docs").rglob("*.md"))
    assert [name for name in sorted(names) if name not in settings.split('"""')[1]] == []
    assert [name for name in sorted(names) if name not in pages] == []


def test_only_settings_reads_the_environment_in_torchbench():
    package = ROOT / "packages/torchbench/src"
    readers = [path.name for path in package.rglob("*.py") if re.search(r"os\.environ|getenv", path.read_text())]
    assert readers == ["settings.py"]
