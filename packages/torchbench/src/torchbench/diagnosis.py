"""Which of the known mistakes a result near chance looks like.

Two kinds of evidence, both from this very model and data. The predictions may be right under another numbering of the
classes; and a few images may be recognised once their channels or their scale are changed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from benchrecord import Predictions, Score
from torchbench.evaluate import Evaluation, Exam
from torchbench.loading import LoadingOptions, open_batches
from torchbench.model_facts import FORWARD_ERRORS, copy_sharing_weights
from torchbench.predictor import Predictor

Labels = NDArray[np.int64]
_PROBE_IMAGES = 64
_PROBE_SECONDS = 30.0
_PROBES = 9  # changes of the input that are tried
_FEWEST = 8
_MEAN = torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)
_STD = torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)


@dataclass(frozen=True)
class Inputs:
    """Images and the transform that makes inputs of them, to look at a few again."""

    images: Sequence[Image.Image]
    transform: Any

    def sample(self, indices: Sequence[int]) -> torch.Tensor:
        """Inputs `(n, ...)` of a few images, in the order of `indices`."""
        chosen = [self.images[index] for index in indices]
        with open_batches(chosen, self.transform, LoadingOptions(batch_size=len(chosen), num_workers=0)) as batches:
            return next(iter(batches))


def diagnose(scored: Score, evaluation: Evaluation, exam: Exam, predictor: Predictor, inputs: Inputs) -> list[str]:
    """Sentences for a result near chance, an empty list for any other; the first hint names the likeliest mistake."""
    if not _looks_like_guessing(scored, exam.classes):
        return []
    best, targets = evaluation.predictions.classes[:, 0].astype(np.int64), exam.targets.numpy()
    hints = class_order_hints(best, targets, exam.classes)
    chosen = probe_indices(scored.samples, evaluation.seconds.model)
    if chosen and not hints:
        hints = second_look(predictor, inputs.sample(chosen), exam.targets[chosen])
    return _in_words(scored, best, hints)


def diagnose_answers(scored: Score, predictions: Predictions, labels: Labels) -> list[str]:
    """The same for a run whose images and model are not at hand; labels `(N,)` in the order of the predictions."""
    if not _looks_like_guessing(scored, predictions.number_of_classes):
        return []
    best = predictions.classes[:, 0].astype(np.int64)
    return _in_words(scored, best, class_order_hints(best, labels, predictions.number_of_classes))


def _looks_like_guessing(scored: Score, classes: int) -> bool:
    """Whether a mistake is to be looked for; outputs that are mostly NaN say by themselves what is wrong."""
    mostly_finite = 2 * scored.nonfinite < scored.samples
    return mostly_finite and is_near_chance(scored.correct["Top 1 Accuracy"], scored.samples, classes)


def _in_words(scored: Score, best: Labels, hints: list[str]) -> list[str]:
    found = f"{scored.correct['Top 1 Accuracy']:,} of {scored.samples:,} right answers are what guessing gives"
    unexplained = "no known mistake explains it: were the trained weights loaded?"
    return [found, *(hints or [*collapse_hint(best), unexplained])]


def is_near_chance(correct: int, samples: int, classes: int) -> bool:
    """Whether so few right answers look like guessing; always False below ten images, where nobody can tell."""
    return samples >= 10 and correct / samples < 2 / classes + 2 / samples


def class_order_hints(best: Labels, labels: Labels, classes: int) -> list[str]:
    """Sentences for the numberings of the classes under which the answers `best` `(N,)` would be right."""
    as_text = np.array(sorted(range(classes), key=str))
    candidates = {
        "the outputs begin with a class more than they should (a background class at index 0?)": best - 1,
        "the outputs lack their first class": best + 1,
        "the classes are in the order of their numbers as text ('0', '1', '10', '100', ...), as folders sort":
            as_text[best.clip(0, classes - 1)],
    }  # fmt: skip
    hints = [
        f"Top 1 would be {share:.1%} if {mistake}; renumber with target_transform or model_output_transform"
        for mistake, renumbered in candidates.items()
        if (share := float((renumbered == labels).mean())) >= _convincing(len(labels))
    ]
    return hints or _any_order(best, labels, classes)


def _convincing(samples: int) -> float:
    """A share of right answers that neither chance nor a few lucky images give."""
    return max(0.1, 3 / samples)


def _any_order(best: Labels, labels: Labels, classes: int) -> list[str]:
    """The same for a numbering that nobody foresaw: every class is mostly taken for one other, each for its own."""
    present = np.unique(labels)
    if len(labels) < 5 * len(present):
        return []
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (labels, best.clip(0, classes - 1)), 1)
    favourites = confusion[present].argmax(axis=1)
    share = float(confusion[present].max(axis=1).sum() / len(labels))
    if share < 0.3 or len(set(favourites.tolist())) < len(present) / 2:
        return []
    advice = "the model's classes seem to be in another order than the sorted WordNet ids: see target_transform"
    return [f"{share:.0%} of the answers agree on one other class for each class; {advice}"]


def collapse_hint(best: Labels) -> list[str]:
    """A sentence where the model gives nearly everything the same answer."""
    values, counts = np.unique(best, return_counts=True)
    share = counts.max() / len(best)
    if share < 0.5 or len(best) < 10:
        return []
    return [f"class {values[counts.argmax()]} is the answer for {share:.0%} of the images"]


def second_look(predictor: Predictor, images: torch.Tensor, targets: torch.Tensor) -> list[str]:
    """Hints about the input, from a copy of the model, so that the model itself sees every image once and no more."""
    if not isinstance(predictor.model, torch.nn.Module):
        return []
    try:
        duplicate = replace(predictor, model=copy_sharing_weights(predictor.model))
        duplicate.part = predictor.part or predictor.asked  # more at once might not fit into memory
        return input_hints(duplicate, images, targets)
    except FORWARD_ERRORS as error:
        return [f"the input could not be looked into: {type(error).__name__} from the model"]


def input_hints(
    predict: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], images: torch.Tensor, labels: torch.Tensor
) -> list[str]:
    """Sentences for the changes of the input under which the model recognises `images` `(n, 3, H, W)`."""
    if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
        return []
    hints = []
    for mistake, changed in _variants(images):
        share = float((predict(changed, labels).float().argmax(dim=1) == labels).float().mean())
        if share >= _convincing(len(labels)):
            hints.append(f"{share:.0%} of {len(labels)} images are recognised when {mistake}; change input_transform")
    return hints


def _variants(images: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    """Every known mistake undone, with its name; one at a time and with the channels reversed as well."""
    looks_normalised = bool(images.min() < 0)
    unit = (images * _STD + _MEAN if looks_normalised else images / (255 if images.max() > 2 else 1)).clamp(0, 1)
    scales = {
        "they are left between 0 and 1, without Normalize": unit,
        "they are scaled to 0...255": unit * 255,
        "they are normalised with ImageNet's mean and standard deviation": (unit - _MEAN) / _STD,
        "they are normalised to -1...1 (mean and standard deviation 0.5)": unit * 2 - 1,
    }
    yield "their channels are reversed (BGR in place of RGB)", images.flip(1)
    for words, changed in scales.items():
        yield words, changed
        yield f"{words}, with the channels reversed (BGR)", changed.flip(1)


def probe_indices(samples: int, model_seconds: float) -> list[int]:
    """Which images to look at again: spread over the set, few enough to take half a minute; none for a slow model."""
    affordable = int(_PROBE_SECONDS / _PROBES * samples / max(model_seconds, 1e-9))
    count = min(samples, _PROBE_IMAGES, affordable)
    return np.linspace(0, samples - 1, count).astype(int).tolist() if count >= _FEWEST else []
