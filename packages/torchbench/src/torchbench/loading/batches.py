"""Batches of images in the data set's order: the one call that chooses how they are made."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import torch
from PIL import Image

from torchbench.errors import BrokenImage
from torchbench.images import ImageFiles
from torchbench.loading.as_written import AsWrittenBatches
from torchbench.loading.cache import PreparedCache, is_prepared, through_cache
from torchbench.loading.entry import Contents, checksums_of
from torchbench.loading.fast import FastBatches
from torchbench.loading.options import LoadingOptions
from torchbench.loading.pixels import FilePixels, ImagePixels, Pixels
from torchbench.loading.plan import Plan, as_written, read_transform
from torchbench.loading.proof import prove_on_first
from torchbench.loading.recipe import Recipe, Unrecognised
from torchbench.loading.steps import as_callable


class Batches(Protocol):
    """Batches `(B, ...)` of every image exactly once, in the data set's order, without labels.

    Each iteration starts over. Leaving the `with` block, or `close()`, ends every thread and process.
    """

    plan: Plan

    def __len__(self) -> int:
        """Number of batches."""
        ...

    def __iter__(self) -> Iterator[torch.Tensor]: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def close(self) -> None:
        """End every thread and process of iterations that were left half way."""
        ...


def open_batches(images: Sequence[Image.Image], transform: Any, options: LoadingOptions) -> Batches:
    """The batches of `images` under `transform`, by the fastest way that gives the transform's own values."""
    plan = read_transform(transform)
    if plan.recipe is not None and len(images):
        try:
            return _open_fast(images, transform, options, plan.recipe)
        except Unrecognised as why:
            plan = as_written(str(why))
    return AsWrittenBatches(images, transform, options, plan)


def _open_fast(images: Sequence[Image.Image], transform: Any, options: LoadingOptions, recipe: Recipe) -> Batches:
    """Batches by the recipe; raises Unrecognised when the first image comes out differently than as written."""
    pixels = FilePixels(images.paths, recipe) if isinstance(images, ImageFiles) else ImagePixels(images, recipe)
    prove_on_first(recipe, as_callable(transform), images, pixels)
    facts = pixels.describe()
    plan = Plan("fast", "every step is known, and its values are the transform's own to the last bit", recipe, facts)
    contents = _contents(images, options, recipe, pixels)
    if options.cache is None or contents is None:
        return FastBatches(lambda: nullcontext(pixels), len(images), recipe, options, plan)
    cache = PreparedCache(options.cache, options.cache_bytes)
    if is_prepared(cache, contents):
        plan = replace(plan, name="cached", reason=f"{plan.reason}; the crops are in the prepared cache")
    return FastBatches(partial(through_cache, cache, contents, pixels), len(images), recipe, options, plan)


def _contents(
    images: Sequence[Image.Image], options: LoadingOptions, recipe: Recipe, pixels: Pixels
) -> Contents | None:
    """What the entry of these images would hold; None where there is to be none."""
    if not isinstance(images, ImageFiles) or options.cache is None:
        return None
    if options.fingerprint is None or options.in_order is None:
        return None
    first = np.empty((1, *recipe.output, 3), np.uint8)
    try:
        pixels.read(0, first)
    except BrokenImage:  # the first pass will say so when it comes to it
        return None
    facts = pixels.describe()
    return Contents(
        fingerprint=options.fingerprint,
        in_order=options.in_order,
        first=int(checksums_of(first)[0]),
        geometry=recipe.geometry.describe(),
        filter=recipe.filter.name.lower(),
        decoder=facts["decoder"],
        pillow=facts["pillow"],
        count=len(images),
        height=recipe.output[0],
        width=recipe.output[1],
    )
