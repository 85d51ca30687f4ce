"""What can be refused, as sentences a person reads. `procurement.web.middleware` turns each into an answer, once."""

from __future__ import annotations


class DomainError(Exception):
    """A refusal: `sentence` says what happened, what did not change and what to do; `status` is its HTTP code."""

    status = 422

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Refused(DomainError):
    """A rule of the business does not allow this now."""


class NotAllowed(DomainError):
    """This person may not do this; the sentence names who can."""

    status = 403


class StaleState(DomainError):
    """Somebody or something changed the object since it was read; nothing was written."""

    status = 409


class Missing(DomainError):
    """The object is not there, or not this person's to see."""

    status = 404


class Unavailable(DomainError):
    """A part this action depends on does not answer; nothing was written."""

    status = 503
