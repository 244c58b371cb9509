"""What the site answers to what cannot be done; views turn each class into its status.

SotabenchError
└── Refused          nothing was changed; the message is for whoever asked
    ├── Invalid      what was sent is wrong (400)
    ├── Forbidden    somebody else may (403)
    ├── NotFound     there is none, or none that the asker may see (404)
    ├── Conflict     not in the state that things are in (409)
    └── Unanswered   another host did not answer, or may not be asked (502); it is in `outgoing`
"""

from sotabench.errors import SotabenchError


class Refused(SotabenchError):  # noqa: N818 - reads as the answer it becomes
    """Base of the site's refusals; nothing was changed."""

    status = 400


class Invalid(Refused):
    """What was sent is wrong; the message says what."""


class Forbidden(Refused):
    """The asker may not do this; the message says who may."""

    status = 403


class NotFound(Refused):
    """There is no such thing, or the asker may not see it."""

    status = 404


class Conflict(Refused):
    """The thing is in a state in which this cannot happen."""

    status = 409
