"""What an evaluation of a model produced, and every number that follows from it."""

from benchrecord.calibration import Bin, expected_calibration_error, negative_log_likelihood, reliability
from benchrecord.comparison import Comparison, compare, mcnemar_p_value
from benchrecord.errors import BenchRecordError, InvalidPredictions, InvalidRecord
from benchrecord.masked import Masked, masked_predictions
from benchrecord.multilabel import REAL_ACCURACY, score_multilabel
from benchrecord.outputs_file import OutputsPart, OutputsWriter, read_outputs
from benchrecord.per_class import Confusion, PerClass, most_confused, per_class_accuracy
from benchrecord.predictions import TOP, Predictions, PredictionsBuilder
from benchrecord.predictions_file import PredictionsFile, read_predictions, write_predictions
from benchrecord.record import FORMAT, append_record, check_appendable, printable, read_records, validate_record
from benchrecord.scoring import Score, score, top_k_correct
from benchrecord.selection import selected
from benchrecord.statistics import wilson_interval
from benchrecord.ties import TiedGroups, tied_groups

__all__ = [
    "FORMAT",
    "REAL_ACCURACY",
    "TOP",
    "BenchRecordError",
    "Bin",
    "Comparison",
    "Confusion",
    "InvalidPredictions",
    "InvalidRecord",
    "Masked",
    "OutputsPart",
    "OutputsWriter",
    "PerClass",
    "Predictions",
    "PredictionsBuilder",
    "PredictionsFile",
    "Score",
    "TiedGroups",
    "append_record",
    "check_appendable",
    "compare",
    "expected_calibration_error",
    "masked_predictions",
    "mcnemar_p_value",
    "most_confused",
    "negative_log_likelihood",
    "per_class_accuracy",
    "printable",
    "read_outputs",
    "read_predictions",
    "read_records",
    "reliability",
    "score",
    "score_multilabel",
    "selected",
    "tied_groups",
    "top_k_correct",
    "validate_record",
    "wilson_interval",
    "write_predictions",
]
