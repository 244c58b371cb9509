"""ImageNet for files that load the images and run the model themselves."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from benchrecord import Score, score
from sotabencheval.answers import Answered, Answers
from sotabencheval.image_classification.images import describe_answered, find_images, notes_on
from sotabencheval.loop_time import LoopTime, describe_machine
from sotabencheval.outputs import as_outputs
from torchbench import checks
from torchbench.diagnosis import diagnose_answers
from torchbench.errors import ArgumentError
from torchbench.image_classification import ImageNet
from torchbench.paper import Paper
from torchbench.record import describe_calibration, describe_call, describe_score
from torchbench.report import result_lines, say
from torchbench.result import BenchmarkResult, store
from torchbench.settings import Settings

METRICS = tuple(metric.name for metric in ImageNet.metrics)


class ImageNetEvaluator:
    """Takes the outputs of a loop of your own and gives what `ImageNet.benchmark` gives for the same outputs.

    `root` is a folder with ImageNet's validation images in any layout that `ImageNet.benchmark` reads; by default
    SOTABENCH_DATA_ROOT, else `./.data/vision/imagenet`; on a platform it is the platform's. The images are then known
    by the names of their files. Without images there, they are known by their official numbers.
    The other arguments are those of `ImageNet.benchmark`.

    With SOTABENCH_CHECK=params the arguments are checked, and outputs are not looked at; a loop that asks
    `cache_exists` ends after its first batch, which the caller's own code has loaded and run by then.

    Raises ArgumentError when a check finds an argument wrong, DataError for images that cannot be used as they are.
    """

    task = ImageNet.task

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        model_name: str | None = None,
        paper_arxiv_id: str | None = None,
        paper_pwc_id: str | None = None,
        paper_results: Mapping[str, float] | None = None,
        model_description: str | None = None,
    ) -> None:
        self._settings = Settings.from_environment()
        self._paper = Paper(model_name, paper_arxiv_id, paper_pwc_id, paper_results)
        self._description = model_description
        self._problems = self._paper.problems(METRICS)
        if self._settings.strict:
            checks.refuse(self._problems)
        params_only = self._settings.check == "params"
        self._answers = None if params_only else Answers(find_images(root, self._settings), ImageNet.classes)
        self._saved: BenchmarkResult | None = None
        self._batches = 0
        self.results: dict[str, float] | None = None
        self.speed_mem_metrics: dict[str, float] = {}
        self._time = LoopTime()

    def add(self, output_dict: Mapping[Any, Any] | Sequence[Any], outputs: Any = None) -> None:
        """Take the outputs of some images, logits or probabilities, 1,000 for each.

        Either `add({image_id: outputs_of_it})` or, faster, `add(image_ids, outputs)` with outputs `(B, 1000)`. Ids may
        be paths, with or without folder and ending. Outputs may be numpy, torch, TensorFlow or JAX arrays of any
        device and precision, or lists.

        Raises OutputError for outputs of another shape, ArgumentError for an image that is not of the test set or
        comes again with other best classes; nothing of the call is taken then.
        """
        if self._saved:
            raise ArgumentError("this evaluator has been saved; make a new ImageNetEvaluator for another run")
        names = list(output_dict)
        if self._answers is not None and names:
            with self._time.scoring(len(names)):
                self._answers.add(names, as_outputs(names, output_dict, outputs, ImageNet.classes))
        self._batches += 1

    @property
    def cache_exists(self) -> bool:
        """Whether a loop may stop here: in a check (SOTABENCH_CHECK) after its first batch, in an evaluation never.

        A first batch like that of an earlier run proves nothing about the other batches, so no result is ever taken
        over from an earlier run.
        """
        return self._settings.check is not None and self._batches > 0

    def reset_time(self) -> None:
        """Measure time and memory from here; for just before the loop, when slow things come after the constructor."""
        self._time.reset()

    def get_results(self) -> dict[str, float]:
        """`{"Top 1 Accuracy": ..., "Top 5 Accuracy": ...}`, fractions of the images that came in; also as `.results`.

        Prints how many images are missing. In a sealed run and in a check nothing is scored here and each value is
        NaN, so that a file which prints them runs on. Raises ArgumentError when no output came in.
        """
        answered = None if self._answers is None else self._answers.so_far()
        say(*(f"note: {note}" for note in notes_on(answered, self._settings)))
        return self._keep(self._score(answered))

    def save(self) -> BenchmarkResult:
        """Report the result; write record and predictions where SOTABENCH_STORE_FILENAME asks for it, once.

        The time is that from the constructor, or from `reset_time()`, to the end of the last `add`. Raises
        ArgumentError when no output came in.
        """
        if self._saved:
            say("This evaluator has been saved before; nothing is written again")
            return self._saved
        answered = None if self._answers is None else self._answers.so_far()
        scored = self._score(answered)
        record = describe_call(ImageNet, self._paper, self._description, None, self._settings)
        notes = [*self._problems, *notes_on(answered, self._settings)]
        if answered is not None:
            record |= self._describe_run(answered)
        if answered is not None and scored is not None:
            record |= describe_score(scored, self._paper)
            record["calibration"] = describe_calibration(answered.predictions, answered.labels_by_id)
            notes += diagnose_answers(scored, answered.predictions, answered.labels)
        predictions = None if answered is None else answered.predictions
        if self._settings.store:
            record = store(record, predictions, self._settings.store)
        self._saved = BenchmarkResult(record, tuple(notes), self._settings.store, predictions)
        say(*result_lines(self._saved))
        self.speed_mem_metrics = self._saved.speed_mem_metrics
        self._keep(scored)
        return self._saved

    def _score(self, answered: Answered | None) -> Score | None:
        """The counts of right answers; None where nothing is to be scored here."""
        if answered is None or self._settings.sealed or self._settings.check:
            return None
        return score(answered.predictions, answered.labels_by_id, top=[metric.k for metric in ImageNet.metrics])

    def _keep(self, scored: Score | None) -> dict[str, float]:
        self.results = dict(scored.results) if scored else dict.fromkeys(METRICS, math.nan)
        return dict(self.results)

    def _describe_run(self, answered: Answered) -> dict[str, Any]:
        """What the loop showed, labels aside; of model and transform it shows nothing."""
        return {
            "samples": len(answered.predictions),
            "nonfinite": answered.predictions.nonfinite,
            "run_hash": answered.run_hash,
            "speed": self._time.describe(),
            "environment": describe_machine(),
            "dataset": describe_answered(answered, sealed=self._settings.sealed),
        }
