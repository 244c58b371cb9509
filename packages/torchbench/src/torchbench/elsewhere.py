"""What the predecessor evaluated and this library does not: files that import it are told so."""


def not_here(module: str) -> ImportError:
    """The error of a module that existing files may import; they do not run here."""
    return ImportError(
        f"expected a benchmark of image classification, found {module}, which is not in this library; install the "
        "published package of 2019 of the same name, in an environment of its own, to evaluate that",
        name=module,
    )
