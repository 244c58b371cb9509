"""What an evaluation of a model produced, and every number that follows from it."""

from benchrecord.errors import BenchRecordError, InvalidPredictions, InvalidRecord
from benchrecord.predictions import TOP, Predictions, PredictionsBuilder

__all__ = ["TOP", "BenchRecordError", "InvalidPredictions", "InvalidRecord", "Predictions", "PredictionsBuilder"]
