"""The base of every benchmark: `benchmark()` is the whole flow on one screen."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from benchrecord import BenchRecordError, Predictions, Score, score, selected
from torchbench import checks
from torchbench.all_outputs import outputs_folder
from torchbench.asking import Asked, Measured
from torchbench.call_key import call_key, companions_key
from torchbench.companions import Row, Wanted, find_row, wanted_companions
from torchbench.dataset import Reader, TestSet, TorchvisionReader
from torchbench.diagnosis import Inputs, diagnose
from torchbench.errors import DataError
from torchbench.evaluate import Evaluation, Exam, Kept, KeptOutputs
from torchbench.loading import LoadingOptions
from torchbench.metrics import RealAccuracy, TopK
from torchbench.paper import Paper
from torchbench.predictor import Predictor, evaluating
from torchbench.record import (
    describe_calibration,
    describe_call,
    describe_carried_over,
    describe_dataset,
    describe_run,
    describe_score,
)
from torchbench.report import companion_lines, result_lines, say
from torchbench.result import BenchmarkResult, require_storable, store
from torchbench.settings import Settings
from torchbench.team import ALONE, Team, team_of
from torchbench.utils import default_data_to_device, send_model_to_device


class ImageClassification:
    """One best class of `classes` for each image. A benchmark is a subclass that declares; see the class attributes.

    `dataset` is the torchvision class that users know, `classes` and `size` (images) are its test split's, `data_root`
    is where that is looked for by default. `reader` finds it on disk; unless a benchmark has one of its own,
    torchvision does, and gives the images in Pillow's `mode`. `normalize` and `input_transform` are for a model that
    brings none.

    Where `kept` names classes, their outputs alone are ranked and their images alone are scored. `companions` are
    benchmarks that the same call can evaluate too, each asked for by its `key`: on the same images where their readers
    are equal. `diagnosed`: a result near chance is looked into.
    """

    task: ClassVar = "Image Classification"
    name: ClassVar[str]
    dataset: ClassVar[Any]
    reader: ClassVar[Reader]
    classes: ClassVar[int]
    size: ClassVar[int]
    mode: ClassVar[str] = "RGB"
    data_root: ClassVar[str]
    normalize: ClassVar[Any]
    input_transform: ClassVar[Any]
    metrics: ClassVar[tuple[TopK | RealAccuracy, ...]] = (TopK(1), TopK(5))  # the first one ranks
    kept: ClassVar[tuple[int, ...] | None] = None
    key: ClassVar[str] = ""
    companions: ClassVar[tuple[type["ImageClassification"], ...]] = ()
    diagnosed: ClassVar[bool] = True
    send_data_to_device = staticmethod(default_data_to_device)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "dataset" in vars(cls) and "reader" not in vars(cls):
            cls.reader = TorchvisionReader(
                cls.dataset, name=cls.name, size=cls.size, classes=cls.classes, mode=cls.mode
            )

    @classmethod
    def benchmark(  # noqa: PLR0913, PLR0917 - these arguments are public, and users know them
        cls,
        model: Any,
        model_description: str | None = None,
        input_transform: Any = None,
        target_transform: Callable[[int], Any] | None = None,
        model_output_transform: Callable[..., Any] | None = None,
        send_data_to_device: Callable[..., tuple[Any, Any]] | None = None,
        device: torch.device | str | None = None,
        data_root: str | os.PathLike[str] | None = None,
        num_workers: int | None = None,
        batch_size: int = 128,
        pin_memory: bool = False,  # noqa: FBT001, FBT002 - the signature is public
        num_gpu: int = 1,
        paper_model_name: str | None = None,
        paper_arxiv_id: str | None = None,
        paper_pwc_id: str | None = None,
        paper_results: Mapping[str, float] | None = None,
        pytorch_hub_url: str | None = None,
        store_outputs: bool | None = None,  # noqa: FBT001 - the signature is public
        companions: str | Sequence[str] | bool | None = None,  # noqa: FBT001
    ) -> BenchmarkResult:
        """Evaluate a model on the test split, report the result, and write a record where one is asked for.

        Args:
            model: an `nn.Module`, or any object whose `forward` or call maps a batch to predictions `(B, classes)`,
                logits or probabilities.
            model_description: free text for the record.
            input_transform: from a PIL image in RGB to a tensor; default: the benchmark's own.
            target_transform: renumbers the classes; must map them one to one onto themselves.
            model_output_transform: called as `(output, target, model=model)`, or `(output, target)`; returns the
                predictions.
            send_data_to_device: called as `(input, target, device=device)`; returns both.
            device: default: the accelerator that is there, else the processor.
            data_root: folder of the data; default: SOTABENCH_DATA_ROOT, else the benchmark's `data_root`.
            num_workers: threads or processes that load images; default: one a usable core.
            batch_size: images at once; halved by itself when memory runs out.
            pin_memory: load into page-locked memory, which accelerators copy faster from.
            num_gpu: GPUs to spread each batch over (not run by our own tests, which have no GPU).
            paper_model_name: the model's name in its paper.
            paper_arxiv_id: the paper on arXiv, such as `1611.05431`.
            paper_pwc_id: the paper's slug on Papers With Code.
            paper_results: what the paper reports, `{"Top 1 Accuracy": 0.543, "Top 5 Accuracy": 0.654}`.
            pytorch_hub_url: the model's name on PyTorch Hub.
            store_outputs: keep all outputs as float16 in a file beside the predictions; default: the setting
                SOTABENCH_STORE_OUTPUTS.
            companions: the benchmark's companions to evaluate too: "all" that are found, or names such as "real,v2,a";
                False: none; default: the setting SOTABENCH_COMPANIONS.

        Raises:
            ArgumentError: an argument cannot work; says what was expected.
            DataError: no data, or broken data; names the files.
            OutputError: the model's output has the wrong form; says how to change it.
            OutOfMemory: a single image does not fit.
        """
        settings = Settings.from_environment()
        paper = Paper(paper_model_name, paper_arxiv_id, paper_pwc_id, paper_results, pytorch_hub_url)
        beside = settings.outputs_beside(store_outputs)
        send = cls.send_data_to_device if send_data_to_device is None else send_data_to_device
        workers = max(1, usable_cores() // settings.world_size) if num_workers is None else num_workers
        checks.check_model(model)
        checks.check_numbers(batch_size=batch_size, num_workers=workers, num_gpu=num_gpu)
        checks.check_hooks(model_output_transform=model_output_transform, send_data_to_device=send)
        target_map = checks.class_map(target_transform, cls.classes)
        wanted = wanted_companions(companions, settings.companions, cls.companions)
        problems = paper.problems([metric.name for metric in cls.metrics])
        if settings.strict:
            checks.refuse(problems)
        team = team_of(settings)
        record = storable(describe_call(cls, paper, model_description, target_map, settings), settings, team)
        if settings.check == "params":
            return finish(record, problems, settings, team=team)

        placed, device = send_model_to_device(model, *placement(num_gpu, device, settings, team))
        test_set, row = team.from_leader(lambda: cls.find_all(wanted, data_root, settings))
        asked = Asked(
            model=model,
            predictor=Predictor(placed, device, cls.classes, send, model_output_transform, say),
            transform=cls.input_transform if input_transform is None else input_transform,
            target_map=target_map,
            loading=loading_of(
                settings, batch_size, workers, pin_memory, device if send_data_to_device is None else None
            ),
            settings=settings,
            team=team,
        )
        record |= {"call_key": key_of(record, asked, test_set)}
        if record["call_key"] in settings.done:
            return finish(record | describe_carried_over(test_set, settings), problems, settings, team=team)
        with outputs_folder(beside, team) as outputs:
            asked = replace(asked, outputs=outputs)
            measured, *readings = cls.measure(asked, test_set, paper, row.readings)
            result = finish(record | measured.facts, problems + measured.notes, settings, measured, team)
            return with_companions(result, row, readings, asked, paper)

    @classmethod
    def measure(
        cls, asked: Asked, test_set: TestSet, paper: Paper, readings: Sequence[type["ImageClassification"]] = ()
    ) -> list[Measured]:
        """One pass over the test set, and every number that follows, for this benchmark and for further `readings`."""
        kept = [part.kept for part in (cls, *readings)]
        exam = exam_of(test_set, asked.target_map, cls.classes, kept)
        with evaluating(asked.predictor.model), asked.batches_of(test_set) as batches:
            evaluation = asked.run(batches, exam)
            facts = describe_run(asked.model, asked.transform, asked.predictor, evaluation, batches)
            facts["speed"]["processes"] = asked.team.size
            facts["dataset"] = describe_dataset(test_set, sealed=asked.settings.sealed)
            first = cls.judge(evaluation, test_set, asked, paper)
            others = [part.judge(evaluation, test_set, asked, paper.elsewhere()) for part in readings]
            if first.scored and cls.diagnosed and asked.hints:
                scored, inputs = first.scored, Inputs(test_set.images, asked.transform)
                first.notes.extend(
                    asked.team.from_leader(lambda: diagnose(scored, evaluation, exam, asked.predictor, inputs))
                )
        judged = [replace(first, outputs=evaluation.outputs), *others]
        return [replace(part, facts=facts | part.facts) for part in judged]

    @classmethod
    def judge(cls, evaluation: Evaluation, test_set: TestSet, asked: Asked, paper: Paper) -> Measured:
        """What a pass says by this benchmark's own rules; in a sealed run and in a check, no score."""
        predictions = evaluation.rankings[ranked(cls.kept, asked.target_map)]
        notes = nonfinite_note(predictions)
        if asked.settings.sealed or asked.settings.check:
            return Measured({}, notes, predictions)
        scored = cls.score(predictions, test_set, asked.target_map)
        calibration = asked.team.from_leader(
            lambda: cls.calibration(predictions, test_set, asked.target_map, evaluation.outputs)
        )
        facts = {**describe_score(scored, paper), "calibration": calibration}
        return Measured(facts, notes, predictions, scored=scored)

    @classmethod
    def data_folder(cls, data_root: str | os.PathLike[str] | None, settings: Settings) -> Path:
        """The folder that the call, the environment or the benchmark names, in this order.

        On a platform the environment goes first.
        """
        asked = None if data_root is None else Path(data_root)
        root = (settings.data_root if settings.server else asked or settings.data_root) or Path(cls.data_root)
        return root.expanduser()

    @classmethod
    def find_data(cls, data_root: str | os.PathLike[str] | None, settings: Settings) -> TestSet:
        """The test split in that folder, with a line that says where it is and one that says what was found."""
        root = cls.data_folder(data_root, settings)
        say(f"{cls.name}: looking for the test split at {root}")
        test_set = cls.reader.find(root, remember=settings.remember)
        if not settings.sealed and (reason := cls.why_not(test_set)):
            raise DataError(f"{cls.name} at {root}: {reason}")
        say(f"{cls.name}: {len(test_set.ids):,} images, {test_set.layout}")
        say(*(f"  {assumption}" for assumption in test_set.assumptions))
        return test_set

    @classmethod
    def find_all(
        cls,
        wanted: Wanted[type["ImageClassification"]],
        data_root: str | os.PathLike[str] | None,
        settings: Settings,
    ) -> tuple[TestSet, Row[type["ImageClassification"]]]:
        """The test split, and the companions that are wanted and there."""
        test_set = cls.find_data(data_root, settings)
        return test_set, find_row(wanted, cls.reader, cls.data_folder(data_root, settings), test_set, settings)

    @classmethod
    def score(cls, predictions: Predictions, test_set: TestSet, target_map: Sequence[int] | None) -> Score:
        """Integer counts of right answers for the benchmark's metrics."""
        labels, top = cls.labels(test_set), [metric.k for metric in cls.metrics]
        return score(selected(predictions, labels), labels, target_map=target_map, top=top)

    @classmethod
    def calibration(
        cls,
        predictions: Predictions,
        test_set: TestSet,
        target_map: Sequence[int] | None,
        outputs: KeptOutputs | None,
    ) -> dict[str, Any]:
        """Whether the probabilities can be believed; empty where that cannot be said."""
        labels = cls.labels(test_set)
        return describe_calibration(selected(predictions, labels), labels, target_map, outputs)

    @classmethod
    def labels(cls, test_set: TestSet) -> dict[str, int]:
        """The class of every image that is scored, by the image's id."""
        kept = set(range(cls.classes) if cls.kept is None else cls.kept)
        return {
            name: label for name, label in zip(test_set.ids, test_set.labels.tolist(), strict=True) if label in kept
        }

    @classmethod
    def why_not(cls, test_set: TestSet) -> str | None:
        """Why these images cannot be scored by this benchmark, None where they can."""
        if cls.labels(test_set):
            return None
        return f"none of the {len(test_set.ids):,} images shows one of its {len(cls.kept or ()):,} classes"


def usable_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def placement(
    num_gpu: int, device: torch.device | str | None, settings: Settings, team: Team
) -> tuple[int, torch.device | str | None]:
    """Number of GPUs and device: the caller's, or the platform's with a line that says so."""
    if settings.server:
        if team.leads:
            say("SOTABENCH_SERVER is set: data_root, device and num_gpu are the platform's")
        num_gpu, device = 1, None
    return num_gpu, device or team.device()


def loading_of(
    settings: Settings,
    batch_size: int,
    workers: int,
    pin_memory: bool,  # noqa: FBT001 - as benchmark() is given it
    device: torch.device | None,
) -> LoadingOptions:
    """How the images are loaded; a check leaves nothing prepared behind."""
    cache = None if settings.check else settings.cache
    return LoadingOptions(batch_size=batch_size, num_workers=workers, pin_memory=pin_memory, device=device, cache=cache)


def key_of(record: Mapping[str, Any], asked: Asked, test_set: TestSet) -> str | None:
    """The call's key for its record, the same in every process of a team; none where no record is kept."""
    if asked.settings.check or not asked.settings.store:
        return None
    return asked.team.from_leader(lambda: call_key(record, asked, test_set))


def exam_of(test_set: TestSet, target_map: Sequence[int] | None, classes: int, kept: Sequence[Kept] = (None,)) -> Exam:
    """The questions of a test set; targets and `kept` classes are numbered as the model's hooks expect them."""
    labels = torch.from_numpy(test_set.labels.astype(np.int64))
    targets = labels if target_map is None else torch.tensor(target_map)[labels]
    return Exam(test_set.ids, targets, classes, tuple(dict.fromkeys(ranked(some, target_map) for some in kept)))


def ranked(kept: Kept, target_map: Sequence[int] | None) -> Kept:
    """The classes to keep in the model's own numbers."""
    return kept if kept is None or target_map is None else tuple(sorted(target_map[label] for label in kept))


def nonfinite_note(predictions: Predictions) -> list[str]:
    """A sentence where the model gave outputs that cannot be ranked."""
    if not predictions.nonfinite:
        return []
    return [
        f"{predictions.nonfinite:,} of {len(predictions):,} images gave NaN or infinite outputs; they count as wrong"
    ]


def storable(record: dict[str, Any], settings: Settings, team: Team) -> dict[str, Any]:
    """The record itself; ArgumentError when it could not be kept at the end, said before the model runs."""
    if settings.store and team.leads:
        require_storable(record, settings.store)
    return record


def finish(
    record: dict[str, Any],
    notes: Sequence[str],
    settings: Settings,
    measured: Measured | None = None,
    team: Team = ALONE,
    lines: Callable[[BenchmarkResult], list[str]] = result_lines,
) -> BenchmarkResult:
    """Keep the record where one is asked for, show its `lines`, hand the result back; in a team by its leader."""
    predictions, outputs = (measured.predictions, measured.outputs) if measured else (None, None)
    if settings.store:
        path = settings.store
        try:
            record = team.from_leader(lambda: store(record, predictions, path, outputs))
        except (OSError, BenchRecordError) as error:
            say(*result_lines(BenchmarkResult(record, (*notes, f"the record could not be kept: {error}"))))
            raise
    result = BenchmarkResult(record, tuple(notes), settings.store, predictions)
    if team.leads:
        say(*lines(result))
    return result


def with_companions(
    result: BenchmarkResult,
    row: Row[type[ImageClassification]],
    readings: Sequence[Measured],
    asked: Asked,
    paper: Paper,
) -> BenchmarkResult:
    """The result with those of its companions: each is a line of the report, and a record of its own once it is there.

    A mistake behind a result near chance has been looked for by then.
    """
    elsewhere, asked = paper.elsewhere(), replace(asked, hints=False)
    read = zip(row.readings, readings, strict=True)
    run = ((other, other.measure(asked, test_set, elsewhere)[0]) for other, test_set in row.others)
    results = {}
    for other, measured in chain(read, run):
        description = result.record["model_description"]
        record = describe_call(other, elsewhere, description, asked.target_map, asked.settings) | measured.facts
        record["call_key"] = companions_key(result.record["call_key"], other.name)
        results[other.name] = finish(record, measured.notes, asked.settings, measured, asked.team, companion_lines)
    return replace(result, companions=results)
