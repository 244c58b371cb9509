"""What to type where bubblewrap may not do its work; each kind of machine forbids it in its own way."""

import re
from collections.abc import Callable
from pathlib import Path

APPARMOR = """sudo tee /etc/apparmor.d/bwrap <<'END'
abi <abi/4.0>,
include <tunables/global>
profile bwrap /usr/bin/bwrap flags=(unconfined) {
  userns,
}
END
sudo systemctl reload apparmor   # https://github.com/containers/bubblewrap/issues/632"""
SYSCTL = "echo {}={} | sudo tee /etc/sysctl.d/60-sotabench.conf && sudo sysctl --system"
CONTAINER = (
    "in a container: start it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
    "--security-opt systempaths=unconfined, or run `sotabench runner` on the machine itself"
)
_FORBIDDEN = re.compile(r"permission|permitted|not allowed|no permissions|user namespace|max_", re.IGNORECASE)

Kernel = Callable[[str], str]


def kernel_setting(name: str) -> str:
    """A setting of the kernel by its name in /proc/sys, or nothing where it has none."""
    try:
        return Path("/proc/sys", name.replace(".", "/")).read_text(encoding="ascii").strip()
    except OSError:
        return ""


def remedy(trouble: str, *, setting: Kernel = kernel_setting, is_container: bool = False) -> str:
    """What mends it, from what bubblewrap said and what the kernel is set to."""
    is_forbidden = bool(_FORBIDDEN.search(trouble))
    remedies = (
        ("found none" in trouble, "sudo apt-get install bubblewrap"),
        ("libseccomp" in trouble, "sudo apt-get install libseccomp2"),
        (setting("kernel.unprivileged_userns_clone") == "0", SYSCTL.format("kernel.unprivileged_userns_clone", 1)),
        (setting("user.max_user_namespaces") == "0", SYSCTL.format("user.max_user_namespaces", 15000)),
        (is_forbidden and setting("kernel.apparmor_restrict_unprivileged_userns") == "1", APPARMOR),
        (is_forbidden and is_container, CONTAINER),
    )
    return next((mend for is_it, mend in remedies if is_it), "")


def in_container() -> bool:
    """Whether this program seems to run in a container."""
    return any(Path(name).exists() for name in ("/.dockerenv", "/run/.containerenv"))
