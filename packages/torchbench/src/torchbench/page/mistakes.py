"""The worst mistakes: the wrong answers that a model was most confident of, with pictures where there are any."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchrecord import Predictions
from benchrecord.scoring import predicted_labels, right_classes, top_k_right
from torchbench.reading.known import Known

SHOWN = 12
_SIDE = 224
_QUALITY = 80


@dataclass(frozen=True)
class Mistake:
    """An image, what it shows and what it was taken for; `picture` is a JPEG as a data URI."""

    image: str
    shows: str
    taken_for: str
    confidence: float
    picture: str | None


def worst_mistakes(predictions: Predictions, known: Known, target_map: Sequence[int] | None) -> list[Mistake]:
    """At most twelve wrong answers, the most confident first; images that gave no finite answer are none of them."""
    wrong = ~top_k_right(predictions, right_classes(predictions, known.labels, target_map), 1)
    wrong &= predictions.classes[:, 0] >= 0
    confidence = np.where(wrong, predictions.log_probabilities[:, 0], -np.inf)
    order = np.argsort(-confidence, kind="stable")[: min(SHOWN, int(np.count_nonzero(wrong)))]
    answers = predicted_labels(predictions, target_map)
    return [
        Mistake(
            image=(name := predictions.ids[row]),
            shows=known.class_name(known.labels[name]),
            taken_for=known.class_name(int(answers[row])),
            confidence=float(np.exp(min(0.0, float(confidence[row])))),
            picture=_picture(known, name),
        )
        for row in order.tolist()
    ]


def _picture(known: Known, name: str) -> str | None:
    """The image, small; raises BrokenImage when its file cannot be decoded."""
    if known.test_set is None:
        return None
    image = known.test_set.images[known.test_set.ids.index(name)].convert("RGB")
    image.thumbnail((_SIDE, _SIDE))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
