"""A file of 2019 with a loop of its own, through weights and evaluation, on a copy as a site makes it."""

import io
import json
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from benchrecord import read_predictions
from sotabench.runner.checkout import Tree
from sotabench.runner.environment import make_environment
from sotabench.runner.evaluation import Data, evaluation_task
from sotabench.runner.sandbox import Limits
from sotabench.runner.weights import fetch_weights

LIMITS = Limits(seconds=300, memory=4 << 30, disk=1 << 30, files=10_000, processes=64, file_size=1 << 30)
TREE = Tree(commit="c" * 40, tree="t" * 40, submodules=(), size=1)
FILE = """
import os

import numpy as np
import PIL
import torch
from torch.utils.data import DataLoader
import torchvision.transforms as transforms
from torchvision.datasets import ImageNet

from sotabencheval.image_classification import ImageNetEvaluator
from sotabencheval.utils import is_server

if is_server():
    DATA_ROOT = os.environ.get('IMAGENET_DIR', './imagenet')
else:
    DATA_ROOT = '/home/ada/data'

model = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(), torch.nn.Linear(12, 1000))
torch.save({'state_dict': model.state_dict(), 'best': np.float64(0.5)}, 'net.pth')
model.load_state_dict(torch.load('net.pth')['state_dict'])
model.eval()

dataset = ImageNet(DATA_ROOT, split='val', target_transform=None, download=True, transform=transforms.Compose([
    transforms.Resize(36, PIL.Image.BICUBIC), transforms.CenterCrop(32), transforms.ToTensor(),
    transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])]))
loader = DataLoader(dataset, batch_size=4, shuffle=False, num_workers=2, pin_memory=True)
evaluator = ImageNetEvaluator(model_name='Net', paper_arxiv_id='1611.05431', paper_results={'Top 1 Accuracy': 0.5})

with torch.no_grad():
    for i, (images, target) in enumerate(loader):
        output = model(images)
        ids = [path.split('/')[-1].replace('.JPEG', '') for path, _ in dataset.imgs[i * 4:(i + 1) * 4]]
        evaluator.add(dict(zip(ids, list(output.cpu().numpy()))))
        if evaluator.cache_exists:
            break

for name, value in evaluator.save().to_dict().items():
    print(name, value)
print(evaluator.results, evaluator.speed_mem_metrics['Tasks'])
"""


@pytest.fixture
def copy(tmp_path):
    """Ten images under numbers and in folders that say nothing about them."""
    root = tmp_path / "copy"
    noise = np.random.default_rng(0)
    for number, wnid in enumerate(5 * ["n01443537", "n02128925"], 1):
        place = root / "val" / wnid / f"ILSVRC2012_val_{number:08d}.JPEG"
        place.parent.mkdir(parents=True, exist_ok=True)
        file = io.BytesIO()
        Image.fromarray(noise.integers(0, 256, (40, 48, 3), np.uint8)).save(file, "JPEG")
        place.write_bytes(file.getvalue())
    subprocess.run([sys.executable, "-m", "torchbench", "data", "finish", root], check=True)
    return root


def test_file_with_a_loop_of_its_own_hands_in_predictions_for_every_image(checked_out, store, copy, log):
    workplace = checked_out({"sotabench.py": FILE, "requirements.txt": "torch==1.3.0\ntorchvision\nsotabencheval\n"})
    environment = make_environment(workplace, store)
    fetch_weights(workplace, environment, TREE, limits=LIMITS)
    assert "normal for a file with its own loop" in log.text
    task = evaluation_task(workplace, environment, Data(imagenet=copy), LIMITS)
    outcome = workplace.sandbox.run(task, output=log.printed.extend, stop=threading.Event())
    assert outcome.well
    (record,) = json.loads((workplace.output_folder / "records.json").read_text())
    assert (record["model"], record["samples"], record["results"]) == ("Net", 10, {})
    assert record["dataset"]["sealed"] is True
    found = read_predictions(workplace.output_folder / record["predictions"]["name"])
    assert sorted(found.ids) == [f"ILSVRC2012_val_{number:08d}" for number in range(1, 11)]
    assert "{'Top 1 Accuracy': nan, 'Top 5 Accuracy': nan} 10\n" in log.text
