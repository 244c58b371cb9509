"""What a person sees: progress while it runs, one compact table at the end. ASCII only, so that any log can show it."""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self, TextIO

import numpy as np
from numpy.typing import NDArray
from tqdm.asyncio import tqdm_asyncio as terminal_bar  # what tqdm.auto is outside of notebooks
from tqdm.auto import tqdm as notebook_or_terminal_bar

from torchbench.result import BenchmarkResult

_LOG_SECONDS = 30.0


class _Bar:
    """A bar that redraws itself, in a terminal or a notebook."""

    def __init__(self, total: int) -> None:
        self._bar = notebook_or_terminal_bar(total=total, desc="Evaluating", unit=" images", dynamic_ncols=True)

    def show(self, done: int, figures: str) -> None:
        self._bar.set_postfix_str(figures, refresh=False)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        self._bar.close()


class _LogLines:
    """A line now and then, for logs that keep every character."""

    def __init__(self, total: int, stream: TextIO) -> None:
        self._total, self._stream = total, stream
        self._begin = self._last = time.monotonic()

    def show(self, done: int, figures: str) -> None:
        now = time.monotonic()
        if now - self._last < _LOG_SECONDS and done < self._total:
            return
        self._last = now
        rate = done / max(now - self._begin, 1e-9)
        left = f", {(self._total - done) / rate:,.0f} s left" if done < self._total else ""
        line = f"Evaluating: {done:,} of {self._total:,} images ({done / self._total:.0%}), {rate:,.1f} images/s"
        print(f"{line}{', ' + figures if figures else ''}{left}", file=self._stream, flush=True)

    def close(self) -> None:
        self._stream.flush()


class _Unseen:
    """Nothing, where another process shows the progress."""

    def show(self, done: int, figures: str) -> None: ...

    def close(self) -> None: ...


def _display(total: int, stream: TextIO | None) -> _Bar | _LogLines | _Unseen:
    if stream is None:  # a service without a standard error
        return _Unseen()
    redraws = notebook_or_terminal_bar is not terminal_bar or stream.isatty()
    return _Bar(total) if redraws else _LogLines(total, stream)


class RunningAccuracy:
    """Progress of one evaluation; where the labels are known, with Top 1 so far."""

    def __init__(self, total: int, labels: NDArray[np.int64] | None, *, shown: bool = True) -> None:
        self._display = _display(total, sys.stderr) if shown else _Unseen()
        self._labels = labels
        self._done = self._correct = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._display.close()

    def advance(self, samples: int, best_classes: NDArray[np.int16]) -> None:
        """Count a batch of `samples` images, whose best classes are `(samples, 5)`, best first."""
        figures = ""
        if self._labels is not None:
            labels = self._labels[self._done : self._done + samples]
            self._correct += int((best_classes[:, 0] == labels).sum())
            figures = f"Top 1 {self._correct / (self._done + samples):.2%}"
        self._done += samples
        self._display.show(self._done, figures)


def say(*lines: str) -> None:
    """Print lines at once, also into a pipe; characters that its encoding lacks appear as escapes."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    for line in lines:
        text = line.encode(encoding, "backslashreplace").decode(encoding)
        print(text, flush=True)  # noqa: T201 - the one place that does


def result_lines(result: BenchmarkResult) -> list[str]:
    """The whole report of one result, line by line."""
    return [
        "",
        f"{result.model or 'unnamed model'} on {result.dataset}: {samples_in_words(result)}",
        *_metric_table(result),
        *_speed_lines(result),
        *(f"note: {note}" for note in result.notes),
        _record_line(result),
    ]


def companion_lines(result: BenchmarkResult) -> list[str]:
    """A companion's result in a line, and what there is to say of it below."""
    figures = [
        f"{name} {value:.3%} ({100 * low:.2f} to {100 * high:.2f})"
        for (name, value), (low, high) in zip(result.results.items(), result.intervals.values(), strict=True)
    ]
    line = ", ".join(figures) or _unscored(result)
    return [
        f"  {result.dataset}: {line}; {samples_in_words(result)}",
        *(f"    note: {note}" for note in result.notes),
    ]


def samples_in_words(result: BenchmarkResult) -> str:
    """How many images the figures stand on, and whether that is the whole benchmark."""
    facts = result.record["dataset"]
    if "samples" not in facts:
        return "the arguments alone"
    scored = result.record.get("scored", facts["samples"])
    return _images_in_words(facts) + (f"; {scored:,} of them are scored" if scored < facts["samples"] else "")


def _images_in_words(facts: Mapping[str, Any]) -> str:
    if facts["complete"]:
        return f"all {facts['samples']:,} images"
    if facts["samples"] > facts["size"] or facts["foreign"]:
        return f"{facts['samples']:,} images, NOT the test split of {facts['size']:,}"
    return f"a SUBSET of {facts['samples']:,} of {facts['size']:,} images, not comparable with published figures"


def _metric_table(result: BenchmarkResult) -> list[str]:
    if not result.results:
        return [f"  {_unscored(result)}"]
    rows = [["", "measured", "95 % interval", *(["paper", "difference"] if result.paper else [])]]
    for name, value in result.results.items():
        low, high = result.intervals[name]
        row = [name, f"{value:.3%}", f"{100 * low:.2f} to {100 * high:.2f}"]
        if result.paper:
            beside = result.paper.get(name)
            row += [f"{beside['paper']:.3%}", f"{100 * beside['difference']:+.3f}"] if beside else ["", ""]
        rows.append(row)
    return _columns(rows)


def _unscored(result: BenchmarkResult) -> str:
    if result.record.get("carried_over"):
        return "scored in an earlier run, not run again"
    return "scored by the platform" if result.record["dataset"]["sealed"] else "checked, not scored"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]


def _speed_lines(result: BenchmarkResult) -> list[str]:
    speed, facts = result.record["speed"], result.record["model_facts"]
    lines = []
    if speed:
        parts = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in speed["seconds"].items())
        batch = f", batch size {speed['batch_size']}" if "batch_size" in speed else ""
        lines.append(f"  {speed['samples_per_second']:,.1f} images/s ({parts}){batch}")
    size = [f"{facts['parameters'] / 1e6:,.2f} M parameters"] if "parameters" in facts else []
    size += [f"{facts['macs'] / 1e9:,.2f} G multiply-adds an image"] if "macs" in facts else []
    size += [f"peak memory {speed['memory']['process_bytes'] / 2**30:.1f} GiB"] if speed.get("memory") else []
    return [*lines, *(["  " + ", ".join(size)] if size else [])]


def _record_line(result: BenchmarkResult) -> str:
    if result.stored:
        return f"record: {result.stored}"
    return "record: not kept (set SOTABENCH_STORE_FILENAME=results.json to keep it, with the predictions beside it)"
