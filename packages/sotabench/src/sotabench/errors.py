"""The platform's errors, by whose fault they are.

SotabenchError
├── Failed          the repository's: its owner is shown the log
├── Broken          ours: whoever runs the site is told
└── Misconfigured   of whoever runs the site: a setting has to change
"""


class SotabenchError(Exception):
    """Base of every error that the platform raises on purpose."""


class Failed(SotabenchError):  # noqa: N818 - reads as the state it brings about
    """The repository's own code or data made the build impossible."""


class Broken(SotabenchError):  # noqa: N818 - reads as the state it brings about
    """The site could not do its part; the repository is not to blame."""


class Misconfigured(SotabenchError):  # noqa: N818 - reads as the state it names
    """A setting of the site makes no sense; the message names it."""
