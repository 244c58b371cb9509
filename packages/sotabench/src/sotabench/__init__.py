"""The platform that runs the evaluation code of repositories and publishes what it scored."""

from importlib.metadata import version

__version__ = version("sotabench")
