"""What goes into benchmark() and what a model's output must look like, and what to say when it does not."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from numbers import Real
from typing import Any

import torch

from torchbench.errors import ArgumentError, OutputError

_ARXIV_ID = re.compile(r"(\d{4}\.\d{4,5}|[a-z-]+(\.[A-Z]{2})?/\d{7})(v\d+)?")
_HOW_TO_TRANSFORM = "pass model_output_transform=lambda output, target, model: {expression}"


def check_output(output: object, *, batch: int, classes: int, giver: str = "the model") -> torch.Tensor:
    """The output itself when it is a real tensor of shape `(batch, classes)`; else OutputError with the remedy."""
    if not isinstance(output, torch.Tensor):
        remedy = _remedy(output) if giver == "the model" else "let it return the predictions alone"
        raise OutputError(
            f"expected {giver} to return a tensor of shape {(batch, classes)}, got {_in_words(output)}; {remedy}"
        )
    shape = tuple(output.shape)
    if shape == (batch, classes) and not output.is_complex():
        return output
    raise OutputError(f"expected outputs of shape {(batch, classes)}, got {shape}{_shape_hint(output, batch, classes)}")


def _in_words(output: object) -> str:
    if output is None:
        return "None"
    found = f"a {type(output).__name__}"
    if isinstance(output, tuple | list):
        fields = getattr(type(output), "_fields", None)
        return f"{found} of {len(output)}" + (f" ({', '.join(fields)})" if fields else "")
    return f"{found} with {', '.join(map(str, output))}" if isinstance(output, Mapping) else found


def _remedy(output: object) -> str:
    """How to make a tensor of what the model returned."""
    if output is None:
        return "does its forward method end with a return?"
    expression = "torch.as_tensor(output)"
    if isinstance(output, tuple | list) and isinstance(next(iter(output), None), torch.Tensor):
        expression = "output[0]"
    elif isinstance(output, Mapping):
        expression = f"output[{'logits' if 'logits' in output else next(iter(output), 'logits')!r}]"
    elif hasattr(output, "logits"):
        expression = "output.logits"
    return _HOW_TO_TRANSFORM.format(expression=expression)


def _shape_hint(output: torch.Tensor, batch: int, classes: int) -> str:
    shape = tuple(output.shape)
    if output.is_complex():
        return f" of {output.dtype}; outputs must be real numbers"
    if output.numel() == batch * classes and shape[:1] == (batch,):
        return "; " + _HOW_TO_TRANSFORM.format(expression="output.flatten(1)")
    if len(shape) != 2:
        return "; one row an image and one column a class are needed: " + _HOW_TO_TRANSFORM.format(expression="...")
    if shape[0] != batch:
        return f"; the model was given {batch} images and answered for {shape[0]}: does it average over crops itself?"
    if shape[1] == classes + 1:
        return "; is one class the background? If it is the first: " + _HOW_TO_TRANSFORM.format(
            expression="output[:, 1:]"
        )
    return f"; does the model's head have {classes:,} classes?"


def check_targets(returned: object, sent: torch.Tensor) -> None:
    """Raise ArgumentError when `send_data_to_device` handed back other targets than it was given.

    Any numeric dtype will do; `sent` is rounded to it before they are compared.
    """
    if not isinstance(returned, torch.Tensor) or returned.shape != sent.shape:
        found = tuple(returned.shape) if isinstance(returned, torch.Tensor) else type(returned).__name__
        raise ArgumentError(
            f"expected send_data_to_device to return (input, target) with {len(sent)} targets, got {found}"
        )
    if not torch.equal(returned.cpu(), sent.to(returned.dtype)):
        raise ArgumentError(
            "send_data_to_device changed the targets, so it is not clear which class means what; "
            "pass the mapping of the classes as target_transform"
        )


def class_map(target_transform: Callable[[int], Any] | None, classes: int) -> tuple[int, ...] | None:
    """The class index that each class index becomes, or None where nothing changes.

    Raises ArgumentError unless `target_transform` maps the classes one to one onto themselves: a map that joins
    classes would make the task easier, and a constant one would make it trivial.
    """
    if target_transform is None:
        return None
    check_hooks(target_transform=target_transform)
    images = [_class_index(target_transform(label), label) for label in range(classes)]
    missing = sorted(set(range(classes)) - set(images))
    if missing or len(set(images)) != classes:
        some = ", ".join(map(str, missing[:5])) + (" ..." if len(missing) > 5 else "")
        raise ArgumentError(
            f"expected target_transform to map the {classes:,} classes one to one onto 0...{classes - 1}, "
            f"but nothing maps to {some}; only a renumbering of the classes can be scored"
        )
    return None if images == list(range(classes)) else tuple(images)


def _class_index(value: object, label: int) -> int:
    if isinstance(value, torch.Tensor):
        value = value.item() if value.numel() == 1 else tuple(value.shape)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ArgumentError(f"expected target_transform({label}) to be a class index, got {value!r}")
    return value.__index__()  # type: ignore[no-any-return]  # hasattr said so, mypy cannot know


def check_numbers(*, batch_size: int, num_workers: int, num_gpu: int) -> None:
    """Raise ArgumentError on counts that make no sense."""
    for name, value, least in (("batch_size", batch_size, 1), ("num_workers", num_workers, 0), ("num_gpu", num_gpu, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ArgumentError(f"expected {name} to be a whole number of at least {least}, got {value!r}")


def check_model(model: object) -> None:
    """Raise ArgumentError when `model` is nothing that could be asked about a batch."""
    if isinstance(model, type):
        raise ArgumentError(f"expected model to be an object, got the class {model.__name__}; pass {model.__name__}()")
    if callable(model) or callable(getattr(model, "forward", None)):
        return
    hint = ""
    if isinstance(model, Mapping):
        hint = "; is it a state_dict? Build the model, call model.load_state_dict(...) and pass the model"
    raise ArgumentError(
        f"expected model to be an nn.Module or to have a forward method, got {type(model).__name__}{hint}"
    )


def check_hooks(**hooks: object) -> None:
    """Raise ArgumentError when a hook is given that cannot be called."""
    for name, function in hooks.items():
        if function is not None and not callable(function):
            raise ArgumentError(f"expected {name} to be a function, got {function!r}")


def refuse(problems: Sequence[str]) -> None:
    """Raise ArgumentError with all `problems`, when there are any."""
    if problems:
        raise ArgumentError("; ".join(problems))


def takes_model(function: Callable[..., Any]) -> bool:
    """Whether a `model_output_transform` takes `(output, target, model=model)` rather than `(output, target)`."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # a built-in without a signature
        return False
    try:
        signature.bind(None, None, model=None)
    except TypeError:
        return False
    return True


def finite_number(value: object) -> float | None:
    """A number of any library as Python's own; None for anything else, for NaN and for infinity."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    return float(value) if isfinite(value) else None


def paper_problems(arxiv_id: object, results: object, metrics: Sequence[str]) -> list[str]:
    """What is wrong with what the caller says of the paper, a sentence each; an empty list when all is well."""
    problems = []
    if arxiv_id is not None and not (isinstance(arxiv_id, str) and _ARXIV_ID.fullmatch(arxiv_id)):
        problems.append(f"expected paper_arxiv_id like '1611.05431', got {arxiv_id!r}")
    if results is None:
        return problems
    if not isinstance(results, Mapping):
        return [*problems, f"expected paper_results to be a dict, got {type(results).__name__}"]
    names = " and ".join(map(repr, metrics))
    for name, value in results.items():
        if name not in metrics:
            problems.append(f"paper_results has {name!r}; this benchmark's metrics are {names}")
        elif (number := finite_number(value)) is None or not 0 <= number <= 1:
            hint = f"; did you mean {number / 100:.6g}?" if number is not None and 1 < number <= 100 else ""
            problems.append(f"expected paper_results[{name!r}] to be a fraction between 0 and 1, got {value!r}{hint}")
    return problems
