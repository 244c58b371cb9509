"""What old files need is there in every interpreter of an environment, and changes nothing that is."""

import subprocess
import sys
from pathlib import Path

import pytest

import sotabench.runner
from sotabench.runner.inside.shims import SHIMS

INSIDE = Path(sotabench.runner.__file__).parent / "inside"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs code in a fresh interpreter that begins as those of environments do."""
    place = tmp_path_factory.mktemp("inside")
    (place / "sotabench_inside").symlink_to(INSIDE)
    begin = f"import sys; sys.path.append({str(place)!r}); import sotabench_inside; sotabench_inside.install()\n"

    def code(text):
        done = subprocess.run([sys.executable, "-I", "-c", begin + text], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return code


@pytest.mark.parametrize(
    "code",
    [
        "import torch, os; assert os.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] == '1'",
        (
            "from torchvision.models.utils import load_state_dict_from_url as a; import torch.hub; "
            "assert a is torch.hub.load_state_dict_from_url"
        ),
        (
            "from torchvision import transforms as t; assert t.Scale is t.Resize; "
            "assert t.RandomSizedCrop is t.RandomResizedCrop"
        ),
        "from torch._six import string_classes, inf, container_abcs, int_classes; assert inf == float('inf')",
        (
            "from PIL import Image; assert (Image.ANTIALIAS, Image.LINEAR, Image.CUBIC) == "
            "(Image.LANCZOS, Image.BILINEAR, Image.BICUBIC)"
        ),
        (
            "import numpy as np; assert np.zeros(1, dtype=np.float).dtype == np.float64; assert np.Inf == np.inf; "
            "assert np.int is int; assert np.product is np.prod"
        ),
        (
            "from collections import Mapping, Iterable, OrderedDict; import collections.abc; "
            "assert Mapping is collections.abc.Mapping"
        ),
        "import inspect; assert inspect.getargspec(lambda a, b=1: 0) == (['a', 'b'], None, None, (1,))",
    ],
)
def test_names_that_were_removed_are_there(run, code):
    run(code)


def test_imagenet_of_torchvision_ignores_download(run, tmp_path):
    code = f"""
import torch, torchvision
root = {str(tmp_path)!r}
import os
os.makedirs(root + "/val/n01440764")
open(root + "/val/n01440764/a.JPEG", "w").close()
torch.save(({{"n01440764": ("tench",)}}, []), root + "/meta.bin")
for arguments in (dict(split="val", download=True), dict(split="val", download=False), dict(split="val")):
    assert len(torchvision.datasets.ImageNet(root, **arguments)) == 1
assert len(torchvision.datasets.ImageNet(root, "val", None)) == 1
print(torchvision.datasets.ImageNet.__mro__[1].__name__)
"""
    assert run(code) == "ImageFolder"


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("load('owner/name', 'net')", "True"),
        ("load('owner/name', 'net', False, trust_repo='check')", "check"),
        ("list('owner/name')", "True"),
        ("help('owner/name', 'net', False, False, False)", "False"),
    ],
)
def test_repository_of_torchs_hub_is_fetched_without_a_question(run, call, told):
    code = f"""
import torch.hub
def fetch(github, force_reload, trust_repo, *others, **named):
    print(trust_repo)
    raise SystemExit
torch.hub._get_cache_or_reload = fetch
torch.hub.{call}
"""
    assert run(code) == told


def test_nothing_is_imported_before_it_is_asked_for(run):
    assert run("print(sorted({'torch', 'numpy', 'PIL', 'torchvision'} & set(sys.modules)))") == "[]"


def test_modules_keep_their_own_loaders_and_missing_ones_stay_missing(run):
    code = """
import numpy, importlib.util
assert type(numpy.__spec__.loader).__name__ == "SourceFileLoader", numpy.__spec__.loader
assert importlib.util.find_spec("torchvision.models.nothing") is None
try:
    numpy.no_such_name
except AttributeError as error:
    print(error)
"""
    assert "no_such_name" in run(code)


def test_every_shim_is_named_once():
    assert len(set(SHIMS)) == len(SHIMS) >= 9
