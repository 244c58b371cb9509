"""The helpers that existing `sotabench.py` files import, under the names and signatures they know."""

import torch

from torchbench.environment import reset_peak_memory
from torchbench.settings import Settings, set_variable


def is_server() -> bool:
    """Whether a platform runs this: SOTABENCH_SERVER is `true`."""
    return Settings.from_environment().server


def change_root_if_server(root: str, server_root: str) -> str:
    """`server_root` on a platform, else `root`."""
    return server_root if is_server() else root


def set_env_on_server(env_name: str, value: object) -> bool:
    """Set an environment variable to `str(value)` on a platform, nothing elsewhere; returns whether it is one."""
    if not is_server():
        return False
    set_variable(env_name, str(value))
    return True


def get_max_memory_allocated(device: str = "cuda") -> int | None:
    """Most bytes that torch's tensors took on the device since this was last asked; None where there is no CUDA."""
    if not torch.cuda.is_available():
        return None
    chosen = torch.device(device)  # from here on not run by our own tests, which have no GPU
    peak = torch.cuda.max_memory_allocated(chosen)
    reset_peak_memory(chosen)
    return peak
