"""Whether this is a check or an evaluation."""

from torchbench.settings import Settings


def in_check_mode() -> bool:
    """Whether SOTABENCH_CHECK asks for a check of the arguments, or of the first batch."""
    return Settings.from_environment().check is not None


def get_check_mode_type() -> str | None:
    """`full`, `params`, or None outside of a check."""
    return Settings.from_environment().check
