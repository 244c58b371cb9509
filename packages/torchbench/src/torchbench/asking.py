"""What one call of benchmark() asks for, and its pass over a test set."""

from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from benchrecord import Predictions, Score
from torchbench.all_outputs import keeping
from torchbench.dataset import TestSet
from torchbench.environment import reset_peak_memory
from torchbench.evaluate import Evaluation, Exam, KeptOutputs, evaluate, joined
from torchbench.loading import Batches, LoadingOptions, open_batches
from torchbench.predictor import Predictor
from torchbench.report import RunningAccuracy
from torchbench.settings import Settings
from torchbench.team import Team


@dataclass(frozen=True)
class Asked:
    """One model with its hooks, ready to be asked about a test set, or about several one after the other.

    `model` is the caller's own; `predictor` holds it on its device, perhaps spread over several. `outputs` is
    the folder where all outputs are collected, None where they are not kept; they never are where only some classes
    are ranked, since the file has to bear the predictions out. `hints`: a result near chance is looked into.
    """

    model: Any
    predictor: Predictor
    transform: Any
    target_map: tuple[int, ...] | None
    loading: LoadingOptions
    settings: Settings
    team: Team
    outputs: Path | None = None
    hints: bool = True

    def batches_of(self, test_set: TestSet) -> Batches:
        """This process's share of the images under the caller's transform."""
        mine = self.team.share(len(test_set.ids))
        loading = replace(self.loading, fingerprint=test_set.fingerprint, in_order=test_set.in_order(mine))
        return open_batches(test_set.images[mine], self.transform, loading)

    def run(self, batches: Batches, exam: Exam) -> Evaluation:
        """The model's answers to the whole exam, from every process; to the first batch when only checking."""
        reset_peak_memory(self.predictor.device)
        mine = exam.share(self.team.share(len(exam.ids)))
        known = None if self.settings.sealed else mine.targets.numpy()
        looked_at = islice(batches, 1) if self.settings.check else batches
        with (
            RunningAccuracy(len(mine.ids), known, shown=self.team.leads) as progress,
            keeping(None if exam.rankings[0] else self.outputs, exam.classes, self.team) as keeper,
        ):
            share = evaluate(self.predictor, looked_at, mine, progress, keeper.add)
            outputs = keeper.finish()
        return replace(joined(self.team.gather(share)), outputs=outputs)


@dataclass(frozen=True)
class Measured:
    """What a pass showed: facts for the record, sentences for the reader, the predictions, all outputs if kept.

    `scored` is None in a sealed run and in a check.
    """

    facts: dict[str, Any]
    notes: list[str]
    predictions: Predictions
    outputs: KeptOutputs | None = None
    scored: Score | None = None
