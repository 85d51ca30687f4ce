"""Why an answer could not be had from a supplier, each with the sentence a person reads."""

from __future__ import annotations

from datetime import datetime

from procurement.errors import DomainError


class SupplierProblem(DomainError):
    """A reading that failed. `retry_at` (UTC) is set when the supplier or our own limits say when to try again."""

    status = 503

    def __init__(self, sentence: str, *, retry_at: datetime | None = None, code: str = "") -> None:
        super().__init__(sentence)
        self.retry_at = retry_at
        self.code = code


class Throttled(SupplierProblem):
    """Nothing was sent: our limits or the supplier's request to wait forbid it now."""

    status = 429


class NoAnswer(SupplierProblem):
    """The supplier did not answer readably: not reached, timed out, 5xx, or something that is not JSON."""


class KeyRefused(SupplierProblem):
    """The supplier answered 401 or 403."""


class RequestRefused(SupplierProblem):
    """The supplier understood and said no; `code` is its error code."""

    status = 422


class NotFound(RequestRefused):
    """The supplier does not know the object."""

    status = 404


class NotReady(RequestRefused):
    """The supplier has not delivered yet."""

    status = 409


class Misfit(SupplierProblem):
    """The answer was JSON but a field did not fit; the sentence names it."""


class NotOffered(SupplierProblem):
    """This supplier has no such call."""

    status = 422


class WrongEnvironment(SupplierProblem):
    """A sandbox code from a live account, or the other way round."""

    status = 422


class HttpInTransaction(AssertionError):
    """A programming mistake: a supplier was about to be called while a database transaction was open."""

    def __init__(self) -> None:
        super().__init__("No HTTP call inside a transaction: commit first, then call, then store the answer.")
