"""How Sphinx builds these pages: MyST Markdown, furo, the API from docstrings; nothing is fetched, built or viewed."""

import re
from importlib.metadata import version as version_of
from typing import Any

project = "torchbench"
author = "the torchbench authors"
copyright = "the torchbench authors, Apache-2.0"
release = version = version_of("torchbench")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["tables"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

default_role = "code"  # what docstrings write in single backticks is code
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
add_module_names = False

html_theme = "furo"
html_title = f"torchbench {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_sourcelink = False


def setup(app: Any) -> None:
    """Teach autodoc the two sections that docstrings have; napoleon would also take "a: b" for a type and a text."""
    app.connect("autodoc-process-docstring", fields_of_sections)


def fields_of_sections(_app: Any, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Turn `Args:` and `Raises:` with their indented `name: text` lines into fields, in place."""
    field = None
    for number, line in enumerate(lines):
        if line.rstrip() in {"Args:", "Raises:"}:
            field = "param" if line.startswith("Args") else "raises"
            lines[number] = ""
        elif line and not line.startswith(" "):
            field = None
        elif field and (entry := re.match(r" {4}(\w+): (.*)", line)):
            lines[number] = f":{field} {entry[1]}: {entry[2]}"
