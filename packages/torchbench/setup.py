# ruff: noqa: INP001 - a build script, not a module of a package
"""The native parts, compiled when there is a compiler; without one torchbench installs all the same, and is slower."""

import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SOURCES = Path("src/torchbench/loading")
LIMITED_API = not sysconfig.get_config_var("Py_GIL_DISABLED")  # CPython offers it to builds with a GIL only


class BuildNative(build_ext):
    """Flags in the compiler's own spelling; fused multiply-adds would round differently from Pillow's."""

    def build_extensions(self) -> None:
        """Compile what can be compiled."""
        flags = [] if self.compiler.compiler_type == "msvc" else ["-O3", "-ffp-contract=off", "-fwrapv", "-Wno-psabi"]
        for extension in self.extensions:
            extension.extra_compile_args = flags
        super().build_extensions()


def native(source: Path) -> Extension:
    """An extension of one C file and the headers that share its name; it may fail to compile."""
    return Extension(
        f"torchbench.loading.{source.stem}",
        sources=[str(source)],
        depends=sorted(str(header) for header in SOURCES.glob(f"{source.stem}*.h")),
        define_macros=[("Py_LIMITED_API", "0x030B0000")] if LIMITED_API else [],
        py_limited_api=LIMITED_API,
        optional=True,
    )


setup(
    ext_modules=[native(source) for source in sorted(SOURCES.glob("_*.c"))],
    cmdclass={"build_ext": BuildNative},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if LIMITED_API else {},
)
