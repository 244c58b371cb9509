"""What runs inside the sandbox on our side: mounted read-only, the standard library alone, Python 3.9 or newer.

None of it guards anything: a stranger's process can undo all that is done here, and what it writes is a stranger's
word.
"""

import atexit
import gc


def install() -> None:
    """What every interpreter of a build's environment does as it starts."""
    from . import fetches, shims  # noqa: PLC0415 - the scripts beside this file need neither

    # At its end an interpreter looks for circles among all objects: most of a second with torch. Frozen, they are freed
    # by their counts alone. Registered first, this is done last, behind whatever the repository registers.
    atexit.register(gc.freeze)
    shims.install()
    fetches.install()
