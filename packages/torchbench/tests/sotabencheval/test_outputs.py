import numpy as np
import pytest
import torch

from sotabencheval.outputs import as_outputs
from torchbench.errors import ArgumentError, OutputError

NAMES = ["a", "b", "c"]
VALUES = np.random.default_rng(0).standard_normal((3, 7)).astype(np.float32)


class OnlyArray:
    """As TensorFlow's tensors: numpy reads it through `__array__`."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return self.values


class OnlyDlpack:
    def __init__(self, values):
        self.tensor = torch.from_numpy(values.copy())

    def __dlpack__(self, **options):
        return self.tensor.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.tensor.__dlpack_device__()


class RefusesArray(OnlyDlpack):
    """As CuPy's arrays."""

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed")


KINDS = {
    "numpy": np.asarray,
    "torch": torch.tensor,
    "torch with a gradient": lambda values: torch.tensor(values, requires_grad=True),
    "list": lambda values: values.tolist(),
    "list of scalars": list,
    "__array__": OnlyArray,
    "__dlpack__": OnlyDlpack,
    "__array__ that refuses": RefusesArray,
}


@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_array_gives_the_same_values(kind):
    whole = as_outputs(NAMES, NAMES, KINDS[kind](VALUES), 7)
    one_by_one = as_outputs(NAMES, {name: KINDS[kind](row) for name, row in zip(NAMES, VALUES, strict=True)}, None, 7)
    assert np.array_equal(whole, VALUES)
    assert np.array_equal(one_by_one, VALUES)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.int32, torch.bool, torch.bfloat16])
def test_every_precision_keeps_its_values(dtype):
    tensor = torch.tensor(VALUES).to(dtype)
    whole = as_outputs(NAMES, NAMES, tensor, 7)
    one_by_one = as_outputs(NAMES, dict(zip(NAMES, tensor, strict=True)), None, 7)
    for found in (whole, one_by_one):
        assert found.dtype.kind in "fiu"
        assert torch.equal(torch.from_numpy(found).double(), tensor.double())


def test_kinds_may_differ_within_a_batch():
    mixed = {"a": VALUES[0], "b": torch.tensor(VALUES[1]), "c": VALUES[2].tolist()}
    assert np.array_equal(as_outputs(NAMES, mixed, None, 7), VALUES)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (np.zeros((1, 7)), r"expected 7 outputs for 'b', got shape \(1, 7\); flatten them"),
        (np.zeros(8), r"got shape \(8,\); is one class the background"),
        (np.zeros(10), r"got shape \(10,\); does the model's head have 7 classes"),
        (3, r"got shape \(\); a single number tells one class"),
        ([[0.0], [0.0, 1.0]], "expected the outputs for 'b' as numbers, got list: .*inhomogeneous"),
        (["cat"] * 7, "expected the outputs for 'b' as real numbers, got list of <U3"),
        (np.zeros(7, np.complex64), "real numbers, got ndarray of complex64"),
        (None, "real numbers, got NoneType of object"),
    ],
)
def test_outputs_of_an_image_that_cannot_be_ranked_are_named(row, message):
    with pytest.raises(OutputError, match=message):
        as_outputs(["a", "b"], {"a": np.zeros(7), "b": row}, None, 7)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (np.zeros((2, 7)), r"expected outputs of shape \(3, 7\), got \(2, 7\); one row an image id"),
        (np.zeros((3, 8)), r"got \(3, 8\); is one class the background"),
        (torch.zeros(3, 7, 1, 1), r"got \(3, 7, 1, 1\); flatten them"),
        (7.0, r"got \(\); one row an image id"),
    ],
)
def test_a_batch_of_another_shape_is_refused(outputs, message):
    with pytest.raises(OutputError, match=message):
        as_outputs(NAMES, NAMES, outputs, 7)


def test_ids_without_outputs_are_refused():
    with pytest.raises(
        ArgumentError, match=r"expected add\(\{image_id: outputs\}\) or add\(image_ids, outputs\), got a list"
    ):
        as_outputs(NAMES, NAMES, None, 7)
