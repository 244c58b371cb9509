"""Several processes share one evaluation, as torchrun starts them."""

import json
import os
import subprocess
import sys

import pytest

from torchbench.settings import Settings
from torchbench.team import Team, team_of

SCRIPT = """
import atexit, os, sys
from pathlib import Path
import torch
from torchbench.image_classification import ImageNet

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = torch.nn.AdaptiveAvgPool2d(8)
        self.matrix = torch.nn.Parameter(torch.randn(192, 1000, generator=torch.Generator().manual_seed(0)))

    def forward(self, images):
        if os.environ.get("DIES") == os.environ.get("RANK", "0"):
            raise RuntimeError("this rank breaks")
        return self.pool(images).flatten(1).double() @ self.matrix.double()

def say_what_runs():
    running = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
    os.write(1, f"AT EXIT {sum('gloo' in name for name in running)}\\n".encode())

atexit.register(say_what_runs)
if backend := os.environ.get("OWN_GROUP"):
    torch.distributed.init_process_group(backend)
for name in sys.argv[1:]:
    result = ImageNet.benchmark(Model(), paper_model_name=name, batch_size=2, num_workers=0)
    os.write(1, f"RESULT {os.environ.get('RANK', '0')} {name} {result.record['correct']}\\n".encode())
if os.environ.get("OWN_GROUP"):
    torch.distributed.destroy_process_group()
"""


@pytest.fixture
def launch(few_images, tmp_path):
    script = tmp_path / "sotabench.py"
    script.write_text(SCRIPT)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SOTABENCH_")}

    def run(processes, *names, **environment):
        store = tmp_path / f"results-{processes}.json"
        settings = {
            "SOTABENCH_STORE_FILENAME": str(store),
            "SOTABENCH_STORE_OUTPUTS": "1",
            "SOTABENCH_DATA_ROOT": str(few_images),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "OMP_NUM_THREADS": "1",
        }
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes else []
        done = subprocess.run(
            [sys.executable, *launcher, str(script), *names],
            env=kept | settings | environment, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        return done, json.loads(store.read_text()) if store.exists() else []

    return run


@pytest.fixture
def alone(launch):
    done, records = launch(0, "A")
    assert done.returncode == 0, done.stderr
    return records[0]


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_counts_and_outputs_are_those_of_one_process_and_one_record_is_written(launch, alone, tmp_path, processes):
    store = tmp_path / f"results-{processes}.json"
    done, records = launch(processes, "A", "B")
    assert done.returncode == 0, done.stderr
    assert [record["model"] for record in records] == ["A", "B"]
    for record in records:
        assert (record["correct"], record["samples"]) == (alone["correct"], alone["samples"])
        assert record["predictions"]["sha256"] == alone["predictions"]["sha256"]
        assert record["outputs"]["sha256"] == alone["outputs"]["sha256"]
        assert record["calibration"] == alone["calibration"]
        assert record["speed"]["processes"] == processes
    written = {path.name for path in store.parent.glob(f"*{store.stem}*outputs*")}
    assert written == {record["outputs"]["name"] for record in records}
    assert done.stdout.count("RESULT ") == 2 * processes, "every process gets the result"
    assert done.stdout.count("A on ImageNet") == 1, "one report"
    assert done.stdout.count("looking for the test split") == 2


def test_a_process_that_dies_ends_the_run_with_its_error_and_no_record(launch):
    done, records = launch(2, "A", DIES="1")
    assert done.returncode != 0
    assert "this rank breaks" in done.stderr
    assert records == []


@pytest.mark.parametrize("own_group", [{}, {"OWN_GROUP": "gloo"}])
def test_no_thread_of_the_group_outlives_python(launch, own_group):
    """One that lets go of a tensor then calls std::terminate: the run has its record, and an exit code of failure."""
    done, (record,) = launch(2, "A", **own_group)
    assert done.returncode == 0, done.stderr
    assert record["speed"]["processes"] == 2
    assert done.stdout.count("AT EXIT 0") == 2


def test_settings_of_another_launcher_are_not_mistaken_for_torchrun():
    settings = Settings.from_environment({"RANK": "1", "WORLD_SIZE": "4"})
    assert (settings.rank, settings.world_size) == (0, 1)
    assert team_of(settings) == Team()


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("total", [0, 1, 5, 50_000])
def test_shares_are_all_images_once_and_in_order(size, total):
    shares = [range(total)[Team(rank, size).share(total)] for rank in range(size)]
    assert [number for share in shares for number in share] == list(range(total))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
