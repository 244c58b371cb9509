import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import log_softmax, softmax

from benchrecord import (
    FORMAT,
    InvalidPredictions,
    InvalidRecord,
    OutputsWriter,
    PredictionsBuilder,
    read_outputs,
    validate_record,
)

VALUES = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 7.25, -300.0, 6e4, -6e4])
OUTPUTS = hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9), elements=VALUES)


def write(path, outputs, batch_size=64):
    with OutputsWriter(path, outputs.shape[1]) as writer:
        for start in range(0, len(outputs), batch_size):
            writer.add(outputs[start : start + batch_size])
        return writer.finish()


@pytest.fixture
def written(tmp_path, rank):
    """Write outputs; returns them as they are read back."""

    def through_the_file(outputs, batch_size=64):
        write(tmp_path / "o.npy", outputs, batch_size)
        return read_outputs(tmp_path / "o.npy", rank(outputs))

    return through_the_file


@pytest.fixture
def good(tmp_path, rank):
    """A good file of 20 images and 30 classes, one of them not finite: its path, predictions and values to change."""
    outputs = np.random.default_rng(1).normal(0, 3, (20, 30)).astype(np.float32)
    outputs[4, 7] = np.nan
    write(tmp_path / "o.npy", outputs)
    values = np.load(tmp_path / "o.npy")
    values.setflags(write=True)
    return tmp_path / "o.npy", rank(outputs), values


def test_logits_are_kept_as_scipys_log_softmax_within_float16s_rounding(written, random_outputs):
    finite = np.delete(random_outputs, [12, 13, 14], axis=0)
    expected = log_softmax(finite.astype(np.float64), axis=1)
    assert np.abs(written(finite) / expected - 1).max() <= 2**-11 + 1e-6


def test_probabilities_are_kept_as_their_logarithm_and_zero_as_minus_infinity(written):
    probabilities = softmax(np.random.default_rng(2).normal(0, 4, (50, 7)), axis=1)
    probabilities[0] = [0, 0.25, 0, 0.75, 0, 0, 0]
    with np.errstate(divide="ignore"):
        expected = np.log(probabilities)
    found = written(probabilities)
    assert np.array_equal(np.isneginf(found), np.isneginf(expected))
    assert np.allclose(found[1:], expected[1:], rtol=2**-11)
    assert found[0, [1, 3]] == pytest.approx(np.log([0.25, 0.75]), rel=2**-11)


def test_a_row_worked_by_hand(written):
    found = written(np.array([[0.0, 0.0, np.log(2)], [np.nan, 0.0, 1.0]]))
    assert found[0] == pytest.approx([-np.log(4), -np.log(4), -np.log(2)], rel=2**-11)
    assert np.isnan(found[1]).all()


def test_logits_beyond_float16_are_cut_off_and_never_infinite(written):
    found = written(np.array([[1e5, 0.0, -1e300], [1e300, 1e300, 0.0]]))
    assert found[0].tolist() == [0.0, -65504.0, -65504.0]
    assert found[1] == pytest.approx([-np.log(2), -np.log(2), -65504], rel=2**-11)


@settings(deadline=None)
@given(OUTPUTS, st.sampled_from([np.float16, np.float32, np.float64]), st.integers(1, 9))
def test_every_file_that_is_written_is_read_and_no_bit_depends_on_the_batch_size(
    tmp_path_factory, outputs, dtype, batch_size
):
    outputs = outputs.astype(dtype)
    folder = tmp_path_factory.mktemp("outputs")
    builder = PredictionsBuilder(outputs.shape[1])
    builder.add([str(row) for row in range(len(outputs))], outputs)
    whole, batched = write(folder / "o.npy", outputs, 100), write(folder / "o2.npy", outputs, batch_size)
    assert (whole.size, whole.sha256) == (batched.size, batched.sha256)
    assert read_outputs(folder / "o.npy", builder.finish(), sha256=whole.sha256).shape == outputs.shape


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32])
def test_batches_of_any_size_and_dtype_make_the_same_file(tmp_path, random_outputs, dtype):
    outputs = np.nan_to_num(random_outputs, posinf=9, neginf=-9).astype(dtype)
    files = [write(tmp_path / "o.npy", outputs, batch_size) for batch_size in (1, 7, 64, 1000)]
    assert len({file.sha256 for file in files}) == 1


def test_rows_follow_the_order_of_the_images(written, random_outputs):
    forward = written(random_outputs)
    assert written(random_outputs[::-1])[::-1].tobytes() == forward.tobytes()


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_one_row_that_is_no_distribution_makes_all_outputs_logits(written, place, batch_size):
    outputs = softmax(np.random.default_rng(3).normal(size=(5, 6)), axis=1)
    outputs[place, 0] += 0.5
    found = written(outputs, batch_size)
    assert np.allclose(found, log_softmax(outputs, axis=1), rtol=2**-10)
    assert found.tobytes() == written(outputs, 3).tobytes()


def test_images_that_are_not_finite_do_not_decide_the_kind(written):
    found = written(np.array([[0.25, 0.75], [np.nan, 3.0], [np.inf, 0.0]]))
    assert found[0] == pytest.approx(np.log([0.25, 0.75]), rel=2**-11)
    assert np.isnan(found[1:]).all()


def test_the_file_is_what_numpy_save_writes(good):
    path, _, values = good
    np.save(path.with_name("again.npy"), values)
    assert path.with_name("again.npy").read_bytes() == path.read_bytes()


def test_the_record_learns_name_size_and_digest(tmp_path, rank, random_outputs):
    written = write(tmp_path / "o.npy", random_outputs)
    assert (written.name, written.size) == ("o.npy", 128 + 2 * 1000 * 1000)
    assert (tmp_path / "o.npy").stat().st_size == written.size
    read_outputs(tmp_path / "o.npy", rank(random_outputs), sha256=written.sha256)
    with pytest.raises(InvalidPredictions, match=f"of SHA-256 {'0' * 64}, found {written.sha256}"):
        read_outputs(tmp_path / "o.npy", rank(random_outputs), sha256="0" * 64)


def test_a_record_names_its_outputs_file_as_it_names_its_predictions():
    record = {"format": FORMAT, "task": "t", "dataset_name": "d", "model": None, "results": {"Top 1 Accuracy": 0.5}}
    validate_record(record | {"outputs": {"name": "o.npy", "size": 128, "sha256": "0" * 64}})
    with pytest.raises(InvalidRecord, match=r"expected outputs\.name to be a plain file name"):
        validate_record(record | {"outputs": {"name": "../o.npy", "size": 128, "sha256": "0" * 64}})


def test_no_images_are_an_empty_file(written):
    assert written(np.empty((0, 3))).shape == (0, 3)


def test_what_is_not_finished_leaves_nothing_and_the_old_file_stays(tmp_path):
    (tmp_path / "o.npy").write_text("old")
    writer = OutputsWriter(tmp_path / "o.npy", 2)
    writer.add(np.zeros((3, 2)))
    assert (tmp_path / "o.npy").read_text() == "old"
    writer.abandon()
    with pytest.raises(InvalidPredictions), OutputsWriter(tmp_path / "o.npy", 2) as writer:
        writer.add(np.zeros((3, 3)))
    assert [path.name for path in tmp_path.iterdir()] == ["o.npy"]
    assert (tmp_path / "o.npy").read_text() == "old"


def test_abandoning_a_finished_file_keeps_it(tmp_path):
    with OutputsWriter(tmp_path / "o.npy", 2) as writer:
        writer.add(np.zeros((3, 2)))
        writer.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["o.npy"]


def test_a_batch_that_is_refused_adds_nothing(tmp_path, rank):
    with OutputsWriter(tmp_path / "o.npy", 2) as writer:
        for wrong in (np.zeros((1, 3)), np.zeros(2), np.zeros(()), np.zeros((1, 2), complex), [[0.0, 1.0]]):
            with pytest.raises(InvalidPredictions, match="expected outputs"):
                writer.add(wrong)
        writer.add(np.eye(2))
        writer.finish()
    assert read_outputs(tmp_path / "o.npy", rank(np.eye(2))).shape == (2, 2)


def in_parts(path, outputs, cuts):
    """The file that the first of several writers makes of all parts, as processes that share an evaluation do."""
    bounds = [0, *cuts, len(outputs)]
    writers = [OutputsWriter(path, outputs.shape[1]) for _ in bounds[1:]]
    for writer, start, end in zip(writers, bounds, bounds[1:], strict=False):
        writer.add(outputs[start:end])
    for part in [writer.hand_over() for writer in writers[1:]]:
        writers[0].extend(part)
    for writer in writers[1:]:
        writer.abandon()
    return writers[0].finish()


@pytest.mark.parametrize("cuts", [[], [0], [5], [2, 2, 4]])
@pytest.mark.parametrize("odd_row", [None, 0, 3, 4])
def test_parts_of_several_writers_make_the_file_of_one(tmp_path, cuts, odd_row):
    outputs = softmax(np.random.default_rng(5).normal(size=(5, 6)), axis=1)
    outputs[1] = np.nan
    if odd_row is not None:
        outputs[odd_row, 0] += 0.5  # then all outputs are logits, also those that another writer took for probabilities
    whole = write(tmp_path / "whole.npy", outputs)
    assert in_parts(tmp_path / "parts.npy", outputs, cuts).sha256 == whole.sha256
    assert {path.name for path in tmp_path.iterdir()} == {"whole.npy", "parts.npy"}


def test_a_part_with_other_classes_is_refused(tmp_path):
    with OutputsWriter(tmp_path / "a.npy", 2) as writer, OutputsWriter(tmp_path / "b.npy", 3) as other:
        other.add(np.eye(3))
        with pytest.raises(InvalidPredictions, match="expected 2 classes, found 3"):
            writer.extend(other.hand_over())


def test_writing_takes_constant_memory(tmp_path):
    batch = np.random.default_rng(0).normal(size=(64, 1000)).astype(np.float32)
    tracemalloc.start()
    with OutputsWriter(tmp_path / "o.npy", 1000) as writer:
        for _ in range(50):
            writer.add(batch)
        written = writer.finish()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 << 20 < written.size


def test_what_is_read_cannot_be_written_to(good):
    path, predictions, _ = good
    with pytest.raises(ValueError, match="read-only"):
        read_outputs(path, predictions)[0, 0] = 0


def refused(good, values, message):
    path, predictions, _ = good
    np.save(path, values)
    with pytest.raises(InvalidPredictions, match=message):
        read_outputs(path, predictions)


def test_values_that_are_not_the_predictions_own_are_refused(good):
    _, predictions, values = good
    (best, second), worst = predictions.classes[2, :2], int(np.argmin(values[2]))
    for change, message in [
        (lambda v: v.__setitem__((2, best), v[2, best] * 1.1), "the five best|sum to 1"),
        (lambda v: v.__setitem__((2, worst), 0), "sum to 1"),
        (lambda v: v.__setitem__((2, worst), 0.5), "at most 0 and none of them NaN"),
        (lambda v: v.__setitem__((2, worst), np.nan), "at most 0 and none of them NaN"),
        (lambda v: v.__setitem__(2, np.nan), "NaN where an output was not finite"),
        (lambda v: v.__setitem__(4, v[3]), "NaN where an output was not finite"),
        (lambda v: v.__setitem__((4, 0), -1), "NaN where an output was not finite"),
        (lambda v: v.__setitem__((2, [best, second]), v[2, [second, best]]), "the five best of the predictions"),
        (lambda v: v.__setitem__(2, v[3]), "the five best of the predictions"),
        (lambda v: v.__setitem__(slice(None), 0), "NaN where|sum to 1"),
    ]:
        changed = values.copy()
        change(changed)
        refused(good, changed, f"expected .*({message}).*, found otherwise in row [24]")


def test_a_class_may_not_lead_the_five_best(tmp_path, rank):
    outputs = np.log(np.array([[0.3, 0.2, 0.15, 0.1, 0.05, 0.04, 0.04, 0.04, 0.04, 0.04]]))
    write(tmp_path / "o.npy", outputs)
    values = np.load(tmp_path / "o.npy")
    values[0, 5:] = np.log([0.12, 0.02, 0.02, 0.02, 0.02])
    np.save(tmp_path / "o.npy", values)
    with pytest.raises(InvalidPredictions, match="expected the five best of the predictions file, found otherwise"):
        read_outputs(tmp_path / "o.npy", rank(outputs))


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values[:-1],
        lambda values: values[:, :-1],
        lambda values: values.T.copy(),
        np.asfortranarray,
        lambda values: values.astype(np.float32),
        lambda values: values.astype(">f2"),
        lambda values: values.astype(object),
        lambda values: values.reshape(-1),
    ],
)
def test_arrays_of_another_shape_dtype_or_order_are_refused_by_their_header(good, change):
    refused(good, change(good[2]), r"to begin as a plain float16 array of shape \(20, 30\) in npy format 1.0, found b")


def test_a_torn_or_longer_file_is_refused(good):
    path, predictions, _ = good
    content = path.read_bytes()
    for wrong in (content[:-1], content + b"\0", content[:128], content[:50], b""):
        path.write_bytes(wrong)
        with pytest.raises(InvalidPredictions, match="expected an outputs file"):
            read_outputs(path, predictions)


def test_a_larger_file_a_link_and_a_missing_file_are_refused(good):
    path, predictions, _ = good
    with pytest.raises(InvalidPredictions, match="expected at most 1327 bytes"):
        read_outputs(path, predictions, max_size=1327)
    read_outputs(path, predictions, max_size=1328)
    path.with_name("link").symlink_to(path)
    with pytest.raises(InvalidPredictions, match="found a symbolic link"):
        read_outputs(path.with_name("link"), predictions)
    with pytest.raises(InvalidPredictions, match="No such file"):
        read_outputs(path.with_name("gone"), predictions)
