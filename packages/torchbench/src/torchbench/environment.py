"""Where a result was measured: versions, processor or accelerator, precision flags, the commit of the caller's code."""

import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import PIL
import torch

_PACKAGES = ("torchbench", "torchvision", "numpy")


def describe_environment(device: torch.device) -> dict[str, Any]:
    """Plain values for the record; a fact that this machine does not tell is left out."""
    facts: dict[str, Any] = {name: _version(name) for name in _PACKAGES}
    facts |= {
        "pillow": PIL.__version__,  # which a fork of it under another name has too
        "torch": torch.__version__,  # says which build, which the package's version does not
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor_name(),
        "device": device.type,
        "threads": torch.get_num_threads(),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "git": git_state(Path.cwd()),
    }
    if device.type == "cuda":  # not run by our own tests, which have no GPU
        facts |= {
            "accelerator": torch.cuda.get_device_name(device),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
            "tf32_matmul": torch.backends.cuda.matmul.allow_tf32,
            "tf32_cudnn": torch.backends.cudnn.allow_tf32,
        }
    return {name: value for name, value in facts.items() if value is not None}


def _version(package: str) -> str | None:
    """The version that is installed under this name, None where none is, as of a module that lies on the path."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def processor_name() -> str | None:
    """The processor's own name, None where the system does not say."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or None


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit of the checkout around `folder` and whether it has uncommitted changes; None outside of one."""
    git = shutil.which("git")
    if git is None:
        return None
    commit = _git_output(git, folder, "rev-parse", "HEAD")
    changes = _git_output(git, folder, "status", "--porcelain", "--untracked-files=no")
    return None if commit is None else {"commit": commit.strip(), "dirty": bool(changes)}


def _git_output(git: str, folder: Path, *arguments: str) -> str | None:
    command = [git, "-C", str(folder), *arguments]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603 - fixed words
    except (subprocess.TimeoutExpired, OSError):
        return None
    return run.stdout if run.returncode == 0 else None


def peak_memory(device: torch.device) -> dict[str, int]:
    """Bytes at the highest point: of this process since it began, and of tensors on the accelerator since the reset."""
    peak = {}
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - there is no such module on Windows

        usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak["process_bytes"] = usage if sys.platform == "darwin" else usage * 1024
    if device.type == "cuda":  # not run by our own tests, which have no GPU
        peak["cuda_bytes"] = torch.cuda.max_memory_allocated(device)
    return peak


def reset_peak_memory(device: torch.device) -> None:
    """Start the accelerator's high-water mark anew; does nothing where there is none."""
    if device.type == "cuda":  # not run by our own tests, which have no GPU
        torch.cuda.reset_peak_memory_stats(device)
