import numpy as np
import pytest
import torch

from torchbench.evaluate import Exam, as_numpy, evaluate, first_batch_hash
from torchbench.predictor import Predictor, evaluating
from torchbench.utils import default_data_to_device


class Silent:
    def __init__(self):
        self.batches = []

    def advance(self, samples, best_classes):
        self.batches.append((samples, best_classes[:, 0].tolist()))


def exam(count, classes=1000):
    return Exam([f"image{number}" for number in range(count)], torch.arange(count) % classes, classes)


def run(model, images, batch_size):
    progress = Silent()
    predict = Predictor(model, torch.device("cpu"), 1000, default_data_to_device)
    with evaluating(model):
        return evaluate(predict, images.split(batch_size), exam(len(images)), progress), progress


IMAGES = torch.rand(45, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def test_every_image_is_asked_about_once_and_in_order(linear_model):
    model = linear_model()
    evaluation, progress = run(model, IMAGES, 7)
    assert model.seen == [7, 7, 7, 7, 7, 7, 3]
    assert evaluation.predictions.ids == tuple(f"image{number}" for number in range(45))
    assert [samples for samples, _ in progress.batches] == model.seen


@pytest.mark.parametrize("batch_size", [1, 7, 45, 64])
def test_predictions_do_not_depend_on_the_batch_size(linear_model, batch_size):
    whole, _ = run(linear_model(), IMAGES, 45)
    parts, _ = run(linear_model(), IMAGES, batch_size)
    assert np.array_equal(whole.predictions.classes, parts.predictions.classes)
    np.testing.assert_allclose(whole.predictions.log_probabilities, parts.predictions.log_probabilities, rtol=1e-5)


def test_predictions_are_the_stable_descending_order_of_the_outputs(linear_model):
    model = linear_model().eval()
    evaluation, _ = run(model, IMAGES, 16)
    with torch.no_grad():
        expected = model(IMAGES).sort(dim=1, descending=True, stable=True).indices[:, :5]
    assert np.array_equal(evaluation.predictions.classes, expected.numpy())


def test_seconds_of_every_part_are_measured(linear_model):
    evaluation, _ = run(linear_model(), IMAGES, 16)
    seconds = evaluation.seconds
    assert min(seconds.loading, seconds.model, seconds.scoring) > 0
    assert seconds.total == seconds.loading + seconds.model + seconds.scoring


def test_the_run_hash_is_of_the_first_batch_only(linear_model):
    changed_later, changed_first = IMAGES.clone(), IMAGES.clone()
    changed_later[40] = 0
    changed_first[0] = 0
    hashes = [run(linear_model(), images, 16)[0].run_hash for images in (IMAGES, changed_later, changed_first)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert len(hashes[0]) == 64


def test_the_run_hash_ignores_noise_below_a_thousandth():
    outputs = np.array([[0.25, -0.0001]])
    assert first_batch_hash(outputs) == first_batch_hash(outputs + 1e-5) == first_batch_hash(outputs * [1, -1])
    assert first_batch_hash(outputs) != first_batch_hash(outputs + 1e-2)


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64, torch.bool]
)
def test_outputs_of_any_real_dtype_keep_their_values(dtype):
    outputs = torch.tensor([[0, 1], [1, 0]]).to(dtype)
    assert np.array_equal(as_numpy(outputs).astype(np.float64), outputs.double().numpy())
