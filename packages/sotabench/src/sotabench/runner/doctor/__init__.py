"""Whether this machine can run strangers' code: the real sandbox is run on each slot, and what is wrong is named."""

from sotabench.runner.doctor.checks import Check, Machine, examine, fit_slots

__all__ = ["Check", "Machine", "examine", "fit_slots"]
