"""What names a call of benchmark(): the same call of the same file in a later run has the same key."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch

from torchbench.asking import Asked
from torchbench.dataset import TestSet
from torchbench.model_facts import try_digest
from torchbench.texts import printed

_IN_THE_RECORD = ("task", "dataset_name", "target_map", "kept_classes")
_OF_THE_MODEL = ("model", "model_description", "arxiv_id", "pwc_id", "pytorch_hub_id", "paper_results")
_asked_before: Counter[str] = Counter()


def call_key(record: Mapping[str, Any], asked: Asked, test_set: TestSet) -> str | None:
    """SHA-256 over all that decides the call's predictions and can be seen from here; None where too little can.

    It is what the record says before the run, the images, the model's classes and weights, the transform as text, and
    which hooks there are. What the hooks do is not seen: the key tells the calls of one file at one commit apart, and
    of two that look alike the first from the second. An object that is no `nn.Module` has no key, nor has a call
    whose weights cannot be read or whose transform cannot be printed.
    """
    if not isinstance(asked.model, torch.nn.Module) or _has_lazy_parts(asked.model):
        return None
    weights, _ = try_digest(asked.model)
    transform = printed(asked.transform)
    if weights is None or transform is None:
        return None
    facts = {name: record[name] for name in (*_IN_THE_RECORD, *_OF_THE_MODEL)} | {
        "fingerprint": test_set.fingerprint,
        "modules": [[name, _class_of(module)] for name, module in asked.model.named_modules()],
        "weights": weights,
        "transform": transform,
        "hooks": [_class_of(asked.predictor.send_data), _class_of(asked.predictor.transform_output)],
    }
    digest = _digest(facts)
    _asked_before[digest] += 1
    return _digest([digest, _asked_before[digest]])


def companions_key(key: str | None, name: str) -> str | None:
    """The key of a companion that a call with this key evaluated too."""
    return key and _digest([key, name])


def _digest(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _class_of(thing: object) -> str:
    """Where the function or the object's class is defined; no code of the caller's runs."""
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{getattr(named, '__module__', '')}.{getattr(named, '__qualname__', '')}"


def _has_lazy_parts(model: torch.nn.Module) -> bool:
    """Whether the model will make some of its weights when it sees its first batch."""
    tensors = (*model.parameters(), *model.buffers())
    return any(torch.nn.parameter.is_lazy(tensor) for tensor in tensors)
