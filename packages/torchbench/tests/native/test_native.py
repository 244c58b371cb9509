"""The C code as programs of its own: for this processor with the compiler's checks, and for ARM in an emulator."""

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

HERE = Path(__file__).parent
SOURCES = HERE.parents[1] / "src/torchbench/loading"
FLAGS = ["-O2", "-ffp-contract=off", "-fwrapv", "-Wall", "-Wextra", "-Wno-unused-function", "-Werror", "-I", SOURCES]
TARGETS = {
    "here": (["gcc", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"], []),
    "ARM": (["aarch64-linux-gnu-gcc", "-static"], ["qemu-aarch64"]),
}


@pytest.fixture(scope="module", params=TARGETS)
def build(request, tmp_path_factory):
    """Compiles a program of this folder and gives the command that runs it."""
    compiler, emulator = TARGETS[request.param]
    for tool in (compiler[0], *emulator):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    folder = tmp_path_factory.mktemp("native")

    def compiled(name: str) -> list[str]:
        program = folder / name
        subprocess.run([*compiler, *FLAGS, HERE / f"{name}.c", "-o", program, "-lm"], check=True)
        return [*emulator, str(program)]

    return compiled


def test_vector_instructions_give_the_values_of_plain_ones(build):
    run = subprocess.run(build("compare_passes"), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    name, crops = run.stdout.split(": ")
    assert name in {"AVX2", "NEON", "scalar"}
    assert crops == "800 crops\n"


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpegs_have_the_values_of_pillow(build, mode):
    program = build("decode_jpeg")
    levels = np.random.default_rng(0).integers(0, 256, (61, 75, 3), dtype=np.uint8)
    levels[:40] = levels[:1] // 3 + np.arange(40, dtype=np.uint8)[:, None, None]
    for subsampling, progressive in (("4:4:4", False), ("4:2:2", True), ("4:2:0", False), ("4:2:0", True)):
        file = io.BytesIO()
        options = {"subsampling": subsampling, "progressive": progressive}
        Image.fromarray(levels).convert(mode).save(file, "JPEG", quality=90, **options)
        pixels = np.asarray(Image.open(file).convert("RGB"))
        for left, top, right, bottom in ((0, 0, 75, 61), (17, 18, 60, 43)):
            window = [str(side) for side in (left, top, right, bottom)]
            run = subprocess.run([*program, *window], input=file.getvalue(), capture_output=True, check=True)
            got = np.frombuffer(run.stdout, np.uint8).reshape(bottom - top, right - left, 3)
            np.testing.assert_array_equal(got, pixels[top:bottom, left:right])
