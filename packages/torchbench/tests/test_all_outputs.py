import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from benchrecord import read_outputs, read_predictions, read_records
from torchbench.all_outputs import keeping, outputs_folder
from torchbench.errors import ArgumentError
from torchbench.image_classification import ImageNet
from torchbench.team import ALONE, Team

pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture
def store(environment, tmp_path):
    path = tmp_path / "out" / "results.json"
    environment(SOTABENCH_STORE_FILENAME=path)
    return path


def visible_outputs(path):
    return [name.name for name in path.parent.iterdir() if "outputs" in name.name]


class Fixed(torch.nn.Module):
    """Gives the rows of `outputs` in their order."""

    def __init__(self, outputs):
        super().__init__()
        self.outputs, self.at = torch.from_numpy(outputs), 0

    def forward(self, images):
        rows = self.outputs[self.at : self.at + len(images)]
        self.at += len(images)
        return rows


def test_all_outputs_are_kept_beside_the_predictions_and_named_after_them(few_images, store):
    outputs = np.random.default_rng(0).normal(0, 3, (15, 1000))
    ImageNet.benchmark(Fixed(outputs), data_root=few_images, batch_size=4, store_outputs=True)
    (record,) = read_records(store)
    assert record["outputs"]["name"] == record["predictions"]["name"].replace(".npz", "-outputs.npy")
    predictions = read_predictions(store.with_name(record["predictions"]["name"]))
    kept = read_outputs(
        store.with_name(record["outputs"]["name"]), predictions, sha256=record["outputs"]["sha256"]
    )  # fmt: skip
    assert np.allclose(kept, log_softmax(outputs, axis=1), rtol=2**-10)
    assert visible_outputs(store) == [record["outputs"]["name"]]


def test_the_batch_size_changes_no_bit_of_the_outputs(few_images, store):
    outputs = np.random.default_rng(0).normal(0, 3, (15, 1000))
    for batch_size in (1, 4, 64):
        ImageNet.benchmark(Fixed(outputs), data_root=few_images, batch_size=batch_size, store_outputs=True)
    assert len({record["outputs"]["sha256"] for record in read_records(store)}) == 1


def test_the_setting_asks_for_outputs_and_the_call_may_decline(linear_model, few_images, store, environment):
    environment(SOTABENCH_STORE_OUTPUTS="1")
    asked = ImageNet.benchmark(linear_model(), data_root=few_images)
    declined = ImageNet.benchmark(linear_model(), data_root=few_images, store_outputs=False)
    assert "outputs" in asked.record
    assert "outputs" not in declined.record


def test_outputs_without_a_record_are_refused_before_anything_runs(linear_model):
    model = linear_model()
    with pytest.raises(ArgumentError, match="set SOTABENCH_STORE_FILENAME"):
        ImageNet.benchmark(model, data_root="/nowhere", store_outputs=True)
    assert model.seen == []


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError])
def test_a_run_that_ends_early_leaves_nothing(few_images, store, interruption):
    def model(images):
        if len(images) < 4:
            raise interruption
        return torch.zeros(len(images), 1000)

    with pytest.raises(interruption):
        ImageNet.benchmark(model, data_root=few_images, batch_size=4, store_outputs=True)
    assert list(store.parent.iterdir()) == []


def test_a_sealed_run_keeps_outputs_and_says_nothing_of_calibration(linear_model, few_images, store, environment):
    environment(SOTABENCH_SEALED=1)
    result = ImageNet.benchmark(linear_model(), data_root=few_images, store_outputs=True)
    assert result.record["outputs"]["size"] == 128 + 2 * 15 * 1000
    assert result.record["calibration"] == {}


def test_calibration_is_that_of_a_plain_computation(few_images, store):
    outputs = np.random.default_rng(1).normal(0, 3, (15, 1000))
    labels = np.repeat(np.arange(5), 3)
    outputs[np.arange(0, 15, 2), labels[::2]] += 14
    with_outputs = ImageNet.benchmark(Fixed(outputs), data_root=few_images, store_outputs=True).record["calibration"]
    without = ImageNet.benchmark(Fixed(outputs), data_root=few_images).record["calibration"]
    logs = log_softmax(outputs, axis=1)
    confidence, right = np.exp(logs.max(axis=1)), logs.argmax(axis=1) == labels
    place = np.ceil(confidence * 15).astype(int)
    gaps = [abs(right[place == bin].sum() - confidence[place == bin].sum()) for bin in range(1, 16)]
    assert with_outputs["expected_calibration_error"] == pytest.approx(sum(gaps) / 15, abs=1e-6)
    assert with_outputs["negative_log_likelihood"] == pytest.approx(-logs[np.arange(15), labels].mean(), rel=1e-3)
    assert with_outputs["likelihood_from"] == "all outputs as float16"
    assert without == {"expected_calibration_error": with_outputs["expected_calibration_error"], "bins": 15}


def test_right_classes_among_the_five_best_give_a_likelihood_without_outputs(few_images):
    outputs = np.zeros((15, 1000))
    outputs[:, :5] = np.log(2)
    found = ImageNet.benchmark(Fixed(outputs), data_root=few_images).record["calibration"]
    assert found["negative_log_likelihood"] == pytest.approx(np.log(1005 / 2))
    assert found["likelihood_from"] == "five best classes"


def test_a_model_that_rules_a_right_class_out_has_no_likelihood_but_a_record(few_images, store):
    outputs = np.zeros((15, 1000))
    outputs[:, 999] = 1
    found = ImageNet.benchmark(Fixed(outputs), data_root=few_images, store_outputs=True).record["calibration"]
    assert found == {"expected_calibration_error": 1.0, "bins": 15}


def test_outputs_that_are_not_finite_give_no_calibration(few_images):
    outputs = np.zeros((15, 1000))
    outputs[3, 7] = np.nan
    assert ImageNet.benchmark(Fixed(outputs), data_root=few_images).record["calibration"] == {}


def test_parts_that_the_leader_cannot_see_are_an_error_that_says_so(tmp_path):
    class Pair(Team):
        def gather(self, part):
            other = tmp_path / "elsewhere.npy"
            with keeping(tmp_path, 2, Team(rank=1)) as keeper:
                keeper.add(np.eye(2))
                handed = keeper._writer.hand_over()
            handed.path.rename(other)
            return [part, handed]

    with pytest.raises(ArgumentError, match="on a disk that all of them see"), keeping(tmp_path, 2, Pair()) as keeper:
        keeper.add(np.eye(2))
        keeper.finish()


def test_nothing_is_made_where_no_outputs_are_asked_for(tmp_path):
    with outputs_folder(None, ALONE) as folder, keeping(folder, 2, ALONE) as keeper:
        keeper.add(np.eye(2))
        assert keeper.finish() is None
    assert list(tmp_path.iterdir()) == []
