"""How Sphinx builds these pages: MyST Markdown, furo, the API from docstrings; nothing is fetched, built or viewed."""

from importlib.metadata import version as version_of

project = "torchbench"
author = "the torchbench authors"
copyright = "the torchbench authors, Apache-2.0"
release = version = version_of("torchbench")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["tables"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

default_role = "code"  # what docstrings write in single backticks is code
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_class_signature = "separated"
add_module_names = False

html_theme = "furo"
html_title = f"torchbench {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_sourcelink = False
