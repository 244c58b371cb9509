import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import log_softmax, logsumexp

from benchrecord import InvalidPredictions, Predictions, PredictionsBuilder

ARRAYS = ("classes", "log_probabilities", "log_sum_exp")

# Few different values, so that ties are common; huge ones, so that sums overflow.
VALUES = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 7.25, -300.0, 6e4, -6e4])
OUTPUTS = hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9), elements=VALUES)


def best_five(row):
    """The ranking by definition: a stable sort by descending output."""
    ranked = sorted(range(len(row)), key=lambda index: -float(row[index]))[:5]
    return ranked + [-1] * (5 - len(ranked))


def built(outputs, batch_size=1000):
    builder = PredictionsBuilder(outputs.shape[1])
    for start in range(0, len(outputs), batch_size):
        batch = outputs[start : start + batch_size]
        builder.add([str(start + row) for row in range(len(batch))], batch)
    return builder.finish()


@given(OUTPUTS, st.sampled_from([np.float16, np.float32, np.float64]), st.integers(1, 9))
def test_ranking_is_a_stable_sort_so_ties_go_to_the_lowest_class(outputs, dtype, batch_size):
    outputs = outputs.astype(dtype)
    assert built(outputs, batch_size).classes.tolist() == [best_five(row) for row in outputs]


@given(hnp.arrays(np.float32, (3, 7), elements=st.floats(width=32)))
def test_images_with_an_output_that_is_not_finite_have_no_classes(outputs):
    predictions = built(outputs)
    finite = np.isfinite(outputs).all(axis=1)
    assert (predictions.classes[:, 0] >= 0).tolist() == finite.tolist()
    assert predictions.nonfinite == 3 - finite.sum()
    assert (predictions.classes[~finite] == -1).all()
    assert (predictions.log_probabilities[~finite] == -np.inf).all()
    assert np.isnan(predictions.log_sum_exp).tolist() == (~finite).tolist()
    assert predictions.classes[finite].tolist() == [best_five(row) for row in outputs[finite]]


def test_a_tie_worked_by_hand(rank):
    predictions = rank(np.array([[1, 3, 3, 0, 3, 1]], np.float32))
    assert predictions.classes.tolist() == [[1, 2, 4, 0, 5]]
    total = 3 * math.exp(3) + 2 * math.exp(1) + 1
    assert predictions.log_sum_exp[0] == pytest.approx(math.log(total))
    assert np.exp(predictions.log_probabilities[0, :2]) == pytest.approx([math.exp(3) / total] * 2)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32, ">f4"])
@pytest.mark.parametrize("classes", [1, 3, 5, 17, 1000])
def test_no_bit_depends_on_the_batch_size(rank, random_outputs, dtype, classes):
    outputs = random_outputs[:, :classes]
    if dtype is np.int32:
        outputs = np.nan_to_num(outputs, posinf=9, neginf=-9)
    outputs = outputs.astype(dtype)
    whole = rank(outputs, 1000)
    for batch_size in (1, 7, 64):
        batched = rank(outputs, batch_size)
        assert all(getattr(batched, name).tobytes() == getattr(whole, name).tobytes() for name in ARRAYS)


def test_no_bit_depends_on_the_order_of_the_images(rank, random_outputs):
    forward, backward = rank(random_outputs), rank(random_outputs[::-1])
    for name in ARRAYS:
        assert getattr(backward, name)[::-1].tobytes() == getattr(forward, name).tobytes()


def test_arrays_of_any_layout_rank_alike_and_stay_as_they_were(rank, random_outputs):
    layouts = [np.asfortranarray(random_outputs), np.repeat(random_outputs, 2, axis=1)[:, ::2]]
    for layout in layouts:
        before = layout.copy()
        assert not layout.flags.c_contiguous
        assert rank(layout, 7).log_sum_exp.tobytes() == rank(random_outputs, 7).log_sum_exp.tobytes()
        assert layout.tobytes() == before.tobytes()


def test_numbers_are_scipys(rank, random_outputs):
    finite = np.delete(random_outputs, [12, 13, 14], axis=0).astype(np.float64)
    predictions = rank(finite.astype(np.float32))
    expected = np.take_along_axis(log_softmax(finite, axis=1), predictions.classes.astype(int), axis=1)
    assert np.allclose(predictions.log_probabilities, expected, atol=2e-6)
    assert np.allclose(predictions.log_sum_exp, logsumexp(finite, axis=1), atol=2e-6)


def test_outputs_of_any_size_do_not_overflow(rank):
    predictions = rank(np.array([[1e300, -1e300, 0.0], [1e4, 1e4, -1e4], [-1e4, -1e4, -1e4]]))
    assert predictions.classes[:, :3].tolist() == [[0, 2, 1], [0, 1, 2], [0, 1, 2]]
    assert predictions.log_probabilities[1:, 0] == pytest.approx([-math.log(2), -math.log(3)])
    assert predictions.log_sum_exp.tolist() == pytest.approx([math.inf, 1e4 + math.log(2), -1e4 + math.log(3)])


def test_float64_is_ranked_in_float64(rank):
    assert rank(np.array([[1.0, 1.0 + 1e-12, 0.0]])).classes[0, 0] == 1


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rows_that_sum_to_one_are_probabilities(rank, random_outputs, dtype):
    probabilities = np.exp(log_softmax(random_outputs[:10].astype(np.float64), axis=1)).astype(dtype)
    predictions = rank(probabilities)
    assert predictions.kind == "probabilities"
    best = np.sort(probabilities.astype(np.float64), axis=1)[:, :-6:-1]
    assert np.allclose(predictions.log_probabilities, np.log(best), rtol=1e-6)


def test_thousand_equal_probabilities_in_float16_are_probabilities(rank):
    assert rank(np.full((2, 1000), 0.001, np.float16)).kind == "probabilities"


@pytest.mark.parametrize("batch_size", [1, 2, 4])
@pytest.mark.parametrize("place", range(4))
def test_one_row_that_is_no_distribution_makes_all_outputs_logits(rank, batch_size, place):
    outputs = np.full((4, 4), 0.25, np.float32)
    outputs[place, 0] = 0.5
    predictions = rank(outputs, batch_size)
    assert predictions.kind == "logits"
    assert predictions.log_probabilities[place - 1, 0] == pytest.approx(-math.log(4))


def test_negative_values_that_sum_to_one_are_logits(rank):
    assert rank(np.array([[1.5, -0.5]])).kind == "logits"


def test_images_that_are_not_finite_do_not_decide_the_kind(rank):
    assert rank(np.array([[0.25, 0.75], [np.nan, 3.0], [np.inf, 0.0]])).kind == "probabilities"
    assert rank(np.array([[np.nan, 3.0]])).kind == "logits"


def test_a_probability_of_zero_has_the_log_probability_minus_infinity(rank):
    assert rank(np.array([[0.0, 1.0]])).log_probabilities[0].tolist() == [0.0] + [-math.inf] * 4


def test_integers_are_ranked(rank):
    assert rank(np.array([[3, 9, 9]], np.uint8)).classes[0].tolist() == [1, 2, 0, -1, -1]


def test_one_class_and_equal_outputs_are_ranked(rank):
    assert rank(np.array([[2.0], [3.0]])).classes.tolist() == [[0, -1, -1, -1, -1]] * 2
    assert rank(np.zeros((2, 1000), np.float16)).classes.tolist() == [[0, 1, 2, 3, 4]] * 2


def test_adding_returns_the_best_classes_of_the_batch():
    builder = PredictionsBuilder(3)
    builder.add(["a"], np.array([[0.0, 1.0, 2.0]]))
    assert builder.add(["b", "c"], np.array([[5.0, 1.0, 2.0], [0.0, 1.0, 0.0]]))[:, 0].tolist() == [0, 1]
    assert builder.finish().ids == ("a", "b", "c")


def test_an_empty_batch_and_no_batch_at_all_are_no_images():
    builder = PredictionsBuilder(3)
    assert len(builder.finish()) == 0
    builder.add([], np.zeros((0, 3), np.float32))
    assert len(builder.finish()) == 0


@pytest.mark.parametrize("dtype", [bool, complex, object, np.longdouble, "S1", "M8[s]"])
def test_outputs_that_are_no_plain_numbers_are_refused(dtype):
    with pytest.raises(InvalidPredictions, match="expected outputs as float16, float32, float64 or integers, got"):
        PredictionsBuilder(2).add(["a"], np.zeros((1, 2), dtype))


@pytest.mark.parametrize("shape", [(2,), (1, 3), (2, 2), (1, 2, 1)])
def test_outputs_of_another_shape_are_refused(shape):
    with pytest.raises(InvalidPredictions, match=r"expected outputs of shape \(1, 2\), one row an id, got"):
        PredictionsBuilder(2).add(["a"], np.zeros(shape))


def test_outputs_that_are_no_array_are_refused():
    with pytest.raises(InvalidPredictions, match="numpy array, got list"):
        PredictionsBuilder(2).add(["a"], [[1.0, 2.0]])


@pytest.mark.parametrize("name", ["", "a" * 256, "a\nb", "\x1b[31m", "\u202egpj", "\ud800", 7])
def test_ids_that_no_log_should_print_are_refused_and_nothing_is_added(name):
    builder = PredictionsBuilder(2)
    with pytest.raises(InvalidPredictions, match="expected"):
        builder.add(["fine", name], np.zeros((2, 2)))
    assert builder.finish().ids == ()


def test_an_image_added_twice_is_refused_by_name():
    builder = PredictionsBuilder(2)
    for _ in range(2):
        builder.add(["same", "also"], np.zeros((2, 2)))
    with pytest.raises(InvalidPredictions, match=r"found 2 ids more than once: \['same', 'also'\]"):
        builder.finish()


@pytest.mark.parametrize("classes", [0, -1, 32_768])
def test_numbers_of_classes_that_int16_cannot_hold_are_refused(classes):
    with pytest.raises(InvalidPredictions, match="expected 1 to 32767 classes"):
        PredictionsBuilder(classes)


def test_the_largest_number_of_classes_is_ranked(rank):
    outputs = np.zeros((1, 32_767), np.float32)
    outputs[0, -1] = 1
    assert rank(outputs).classes[0].tolist() == [32_766, 0, 1, 2, 3]


def changed(**changes):
    """Predictions for two images and six classes, one of them not finite, with some fields replaced."""
    fields = {
        "ids": ("a", "b"),
        "classes": np.array([[3, 1, 0, 2, 5], [-1] * 5], np.int16),
        "log_probabilities": np.array([[-1, -1, -2, -3, -np.inf], [-np.inf] * 5], np.float32),
        "log_sum_exp": np.array([2, np.nan], np.float32),
        "kind": "logits",
        "number_of_classes": 6,
    }
    return Predictions(**(fields | changes))


def with_cell(name, row, column, value):
    array = getattr(changed(), name).copy()
    array[row, column] = value
    return {name: array}


def test_predictions_within_the_rules_are_accepted():
    assert changed().nonfinite == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "guesses"}, "expected the kind 'logits' or 'probabilities', found 'guesses'"),
        ({"ids": ("a", "a")}, "expected every image once"),
        ({"ids": ("a",)}, r"expected classes as int16 of shape \(1, 5\)"),
        ({"classes": np.zeros((2, 5), np.int32)}, "expected classes as int16"),
        ({"number_of_classes": 5}, "expected classes of -1 to 4"),
        ({"number_of_classes": 0}, "expected 1 to 32767 classes"),
        (with_cell("classes", 0, 0, -2), "expected classes of -1 to 5"),
        (with_cell("classes", 0, 0, 1), r"every class once an image; row 0 .* has \[1, 1, 0, 2, 5\]"),
        (with_cell("classes", 0, 4, -1), "expected 5 classes an image, or -1 for all"),
        (with_cell("classes", 1, 2, 4), "expected 5 classes an image, or -1 for all"),
        (with_cell("log_probabilities", 0, 0, 0.5), "at most 0 and none of them NaN"),
        (with_cell("log_probabilities", 0, 3, np.nan), "at most 0 and none of them NaN"),
        (with_cell("log_probabilities", 0, 1, -0.5), "in descending order; row 0"),
        (with_cell("log_probabilities", 1, 0, -5), "-inf where the class is -1; row 1"),
        ({"log_sum_exp": np.array([2, 2], np.float32)}, "NaN where the classes are -1"),
        ({"log_sum_exp": np.array([np.nan, np.nan], np.float32)}, "and nowhere else"),
    ],
)
def test_predictions_that_break_a_rule_cannot_be_built(change, message):
    with pytest.raises(InvalidPredictions, match=message):
        changed(**change)


def test_more_classes_than_there_are_cannot_be_given():
    classes = np.array([[1, 0, -1, 2, -1]], np.int16)
    with pytest.raises(InvalidPredictions, match="expected classes of -1 to 1"):
        changed(ids=("a",), classes=classes, number_of_classes=2, **one_row())
    with pytest.raises(InvalidPredictions, match="expected -1 after the 2 classes"):
        changed(ids=("a",), classes=np.where(classes == 2, 0, classes), number_of_classes=2, **one_row())


def one_row():
    return {"log_probabilities": np.full((1, 5), -np.inf, np.float32), "log_sum_exp": np.zeros(1, np.float32)}
