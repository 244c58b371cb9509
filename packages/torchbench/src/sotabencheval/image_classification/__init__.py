"""Evaluators of image classification."""

from sotabencheval.image_classification.imagenet import ImageNetEvaluator

__all__ = ["ImageNetEvaluator"]
