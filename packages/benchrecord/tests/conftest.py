import numpy as np
import pytest

from benchrecord import FORMAT, PredictionsBuilder


@pytest.fixture
def rank():
    """Predictions for `outputs`, added in batches; the ids are `image-0`, `image-1`, ..."""

    def ranked(outputs, batch_size=64):
        builder = PredictionsBuilder(np.shape(outputs)[1])
        for start in range(0, len(outputs), batch_size):
            batch = outputs[start : start + batch_size]
            builder.add([f"image-{start + row}" for row in range(len(batch))], batch)
        return builder.finish()

    return ranked


@pytest.fixture
def random_outputs():
    """Outputs (1000, 1000) float32 as a classifier gives them, with ties, NaN and both infinities among them."""
    outputs = np.random.default_rng(7).normal(0, 3, size=(1000, 1000)).astype(np.float32)
    outputs[10] = 0
    outputs[11, ::2] = outputs[11].max()
    outputs[12, 4], outputs[13, 5], outputs[14, 6] = np.nan, np.inf, -np.inf
    return outputs


@pytest.fixture
def record():
    """A whole record with some of its keys replaced."""

    def changed(**changes):
        return {
            "format": FORMAT,
            "model": "EfficientNet-Lite0",
            "model_description": None,
            "task": "Image Classification",
            "dataset_name": "ImageNet",
            "results": {"Top 1 Accuracy": 0.75, "Top 5 Accuracy": 0.9},
            "intervals": {"Top 1 Accuracy": [0.7, 0.8], "Top 5 Accuracy": [0.85, 0.95]},
            "samples": 50_000,
            "predictions": {"name": "a-1.npz", "size": 1_500_000, "sha256": "0" * 64},
            "target_map": [1, 0, 2],
            "transform": {"text": "Compose(\n    Resize(256)\n)", "plan": "fast"},
            "weights": [],
            "environment": {"torch": "2.14.1"},
        } | changes

    return changed
