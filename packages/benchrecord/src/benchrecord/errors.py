"""Everything that benchrecord raises on purpose.

BenchRecordError
├── InvalidRecord        a record, or a file of records, is not what the format allows
└── InvalidPredictions   predictions, or a file of them, are not what the format allows

Both are a ValueError too. What the machine refuses (a full disk, a folder that may not be written) stays an OSError.
"""


class BenchRecordError(Exception):
    """Base of every error of benchrecord."""


class InvalidRecord(BenchRecordError, ValueError):  # noqa: N818 - reads as the sentence it is
    """A record, or a file of records, breaks a rule of the format; the message says which."""


class InvalidPredictions(BenchRecordError, ValueError):  # noqa: N818 - reads as the sentence it is
    """Predictions, or a file of them, break a rule of the format; the message says which."""
