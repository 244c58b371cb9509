"""The evaluation is given data, weights and an output folder, and no network."""

import json
import threading
from pathlib import Path

import pytest

from sotabench.errors import Broken, Failed
from sotabench.runner.environment import make_environment
from sotabench.runner.evaluation import Data, evaluation_task
from sotabench.runner.sandbox import Limits
from sotabench.runner.weights import cache_folder

LIMITS = Limits(seconds=120, memory=4 << 30, disk=1 << 30, files=10_000, processes=64, file_size=1 << 30)
FILE = """
import json, os, socket
def tried(path):
    try:
        open(path, "w").close()
        return "written"
    except OSError as error:
        return error.strerror
def connected():
    try:
        socket.create_connection(("127.0.0.1", 3128), 1)
    except OSError as error:
        return type(error).__name__
json.dump({
    "there": {path: sorted(os.listdir(path)) for path in (
        os.environ["SOTABENCH_DATA_ROOT"], ".data/vision/imagenet", ".data/mine", os.environ["SOTABENCH_CACHE_DIR"],
        os.environ["TORCH_HOME"])},
    "written": {path: tried(path) for path in (
        os.environ["SOTABENCH_DATA_ROOT"] + "/x", ".data/vision/imagenet/x", ".data/mine/x", "/work/prepared/x",
        "/work/cache/x", "/work/environment/x", "/work/inside/x", "here", "/work/output/x", os.environ["HOME"] + "/x",
        "/work/home/.cache/x", "/work/home/.cache/torchbench/x")},
    "environment": dict(os.environ),
    "connected": connected(),
}, open(os.environ["SOTABENCH_STORE_FILENAME"], "w"))
"""


@pytest.fixture
def data(tmp_path):
    for name in ("imagenet/val", "prepared/one", "mine/two"):
        (tmp_path / "data" / name).mkdir(parents=True)
    place = tmp_path / "data"
    return Data(place / "imagenet", place / "prepared", {".data/mine": place / "mine"})


def test_everything_is_where_files_look_for_it_and_only_its_own_can_be_written(checked_out, store, data, tmp_path):
    workplace = checked_out({"sotabench.py": FILE, "requirements.txt": ""})
    outside = tmp_path / "outside"
    outside.mkdir()
    (workplace.repository / ".data").mkdir()
    (workplace.repository / ".data/vision").symlink_to(outside)  # as a setup script may leave it
    workplace.give(workplace.repository)
    (cache_folder(workplace) / "torch").mkdir(parents=True)
    (cache_folder(workplace) / "torch/net.pth").touch()
    task = evaluation_task(workplace, make_environment(workplace, store), data, LIMITS)
    printed = bytearray()
    outcome = workplace.sandbox.run(task, output=printed.extend, stop=threading.Event())
    assert outcome.well, printed.decode()
    found = json.loads((workplace.output_folder / "records.json").read_text())
    assert found["there"] == {
        "/work/data/imagenet": ["val"], ".data/vision/imagenet": ["val"], ".data/mine": ["two"],
        "/work/prepared": ["one"], "/work/cache/torch": ["net.pth"],
    }  # fmt: skip
    written = {path for path, result in found["written"].items() if result == "written"}
    assert written == {"here", "/work/output/x", "/work/home/x", "/work/home/.cache/torchbench/x"}
    assert not list(workplace.kept.rglob("x"))  # what the evaluation writes ends with its build
    assert {result for path, result in found["written"].items() if path not in written} == {"Read-only file system"}
    assert found["connected"] == "ConnectionRefusedError"
    assert list(outside.iterdir()) == []
    told = found["environment"]
    assert (told["SOTABENCH_SERVER"], told["SOTABENCH_SEALED"], told["PYTHONUNBUFFERED"]) == ("true", "1", "1")
    assert told["IMAGENET_DIR"] == told["SOTABENCH_DATA_ROOT"] == "/work/data/imagenet"
    assert "SOTABENCH_CHECK" not in told


def test_owner_that_opts_in_has_the_network_and_may_fill_the_cache(checked_out, store, data):
    workplace = checked_out({"sotabench.py": FILE, "requirements.txt": ""})
    environment = make_environment(workplace, store)
    task = evaluation_task(workplace, environment, data, LIMITS, network=Path("/run/egress.sock"))
    assert task.network == Path("/run/egress.sock")
    assert [mount.writable for mount in task.mounts if mount.target == "/work/cache"] == [True]


@pytest.mark.parametrize("path", ["/etc", ".data/../../etc", "mine", ".data", "a/.data/b", "../.data/x"])
def test_upload_is_mounted_below_data_alone(path, checked_out, store, tmp_path):
    workplace = checked_out({"requirements.txt": ""})
    with pytest.raises(Broken, match="below .data/"):
        evaluation_task(workplace, make_environment(workplace, store), Data(uploads={path: tmp_path}), LIMITS)


@pytest.mark.parametrize("outer", [".data/mine", ".data/vision"])
def test_uploaded_file_in_the_place_of_a_folder_of_data_is_refused_in_plain_words(outer, checked_out, store, tmp_path):
    (tmp_path / "file").touch()
    data = Data(imagenet=tmp_path, uploads={outer: tmp_path / "file", ".data/mine/two": tmp_path / "file"})
    workplace = checked_out({"requirements.txt": ""})
    with pytest.raises(Failed, match=f"expected a folder at {outer} .*, found an uploaded file; delete one of them"):
        evaluation_task(workplace, make_environment(workplace, store), data, LIMITS)
