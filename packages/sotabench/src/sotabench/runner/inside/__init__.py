"""What runs inside the sandbox on our side: mounted read-only, the standard library alone, Python 3.9 or newer.

None of it guards anything: a stranger's process can undo all that is done here, and what it writes is a stranger's
word.
"""


def install() -> None:
    """What every interpreter of a build's environment does as it starts."""
    from . import fetches, shims  # noqa: PLC0415 - the scripts beside this file need neither

    shims.install()
    fetches.install()
