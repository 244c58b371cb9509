"""The platform's errors, by whose fault they are.

SotabenchError
├── Failed         the repository's: its owner is shown the log
├── Broken         ours: whoever runs the site is told
├── Misconfigured  the address or the token that `sb` is to use is missing or wrong
├── Unusable       what the person has here, files or folder, is not what the command needs
├── SiteRefused    the site said no; the message is the site's
└── SiteUnreachable  the site did not answer, or with something else
"""


class SotabenchError(Exception):
    """Base of every error that the platform raises on purpose."""


class Failed(SotabenchError):  # noqa: N818 - reads as the state it brings about
    """The repository's own code or data made the build impossible."""


class Broken(SotabenchError):  # noqa: N818 - reads as the state it brings about
    """The site could not do its part; the repository is not to blame."""


class Misconfigured(SotabenchError):  # noqa: N818 - reads as what is wrong
    """The site's address or the token is missing or malformed."""


class Unusable(SotabenchError):  # noqa: N818 - reads as what is wrong
    """A file or folder of the person's is not what the command needs."""


class SiteRefused(SotabenchError):  # noqa: N818 - reads as what happened
    """The site answered with a refusal, whose HTTP status is `status`."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class SiteUnreachable(SotabenchError):  # noqa: N818 - reads as what happened
    """No answer came, or one that is not the site's."""
