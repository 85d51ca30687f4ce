"""What an answer proves: the table of docs/decisions/0005 for paid orders, the same for claims, and problems of readings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from procurement.suppliers.clients import problems
from procurement.suppliers.clients.http import CONFIGURATION_ERRORS, Reply
from procurement.suppliers.clients.types import (
    ClaimReceipt,
    ClaimRefused,
    ClaimUnknown,
    ClaimVerdict,
    NotPlaced,
    Placed,
    Unknown,
    Verdict,
)
from procurement.suppliers.words import in_words

# These say no before anything is done. Every status that is in neither list proves nothing.
PERMANENT_NO = frozenset({400, 401, 402, 403, 404, 405, 413, 415, 422})
SUCCESS = frozenset({200, 201, 202})
BALANCE_WORDS = ("insufficient_balance", "insufficientbalance", "insufficient_funds", "insufficientfunds")
CONFIGURATION_NAMES = frozenset(error.__name__ for error in CONFIGURATION_ERRORS)


def error_of(data: Any) -> tuple[str, str]:
    """The error's code and message out of any of the shapes seen in the field; empty when there is none."""
    if not isinstance(data, dict):
        return "", ""
    errors = data.get("errors")
    inner = (
        data.get("error") or (errors[0] if isinstance(errors, list) and errors else None) or data.get("info") or data
    )
    if not isinstance(inner, dict):
        return str(inner)[:100], ""
    code = next((str(inner[name]) for name in ("code", "kind", "type") if inner.get(name)), "")
    message = next((str(inner[name]) for name in ("message", "detail", "title") if inner.get(name)), "")
    return code[:100], message[:300]


def is_plain_answer(reply: Reply) -> bool:
    """The supplier's own answer: JSON, or a bare status line. A page of HTML may come from anything in between."""
    return reply.is_json or reply.error == "EmptyBody"


def reason_code(reply: Reply) -> str:
    code, _message = error_of(reply.data)
    if reply.status == 402 or code.lower().replace("-", "_") in BALANCE_WORDS:
        return "insufficient_balance"
    if reply.status in {401, 403}:
        return "key_refused"
    return code or f"http_{reply.status}"


def said(reply: Reply) -> str:
    """The supplier's own words as evidence, or the bare status."""
    code, message = error_of(reply.data)
    return ": ".join(part for part in (code, message.rstrip(".")) if part) or f"status {reply.status}"


def unknown_reason(reply: Reply) -> str:
    return f"http_{reply.status}" if reply.status else reply.error or "no_answer"


def _unknown(reply: Reply) -> Unknown:
    what = f"answered with status {reply.status}" if reply.status else f"did not answer: {in_words(reply.error)}"
    if reply.status and reply.error:
        what += f", and {in_words(reply.error)}"
    return Unknown(
        unknown_reason(reply),
        f"The supplier {what}. We do not know whether an order was placed. Do not place it again.",
    )


def _without_id(reply: Reply) -> Unknown:
    return Unknown(
        "placed_no_id",
        "The supplier said yes but named no order id that can be read. Money was probably taken. "
        "Do not place it again.",
        placed_no_id=True,
    )


def of_order(
    reply: Reply, *, placed: Callable[[Reply], Placed | None], wait_until: datetime | None, keyed: bool
) -> Verdict:
    """The verdict on POST /orders; `placed` reads the order out of a 2xx answer, or gives None when it has no id."""
    if not reply.sent:
        permanent = reply.error in CONFIGURATION_NAMES
        return NotPlaced(
            "not_sent",
            f"The supplier could not be reached: {in_words(reply.error)}. Nothing was sent.",
            permanent,
            None,
        )
    if reply.status is not None and 200 <= reply.status < 300:
        if reply.error == "NotJson":
            return _unknown(reply)
        found = placed(reply) if reply.is_json and reply.status in SUCCESS else None
        return found or _without_id(reply)
    if not is_plain_answer(reply):
        return _unknown(reply)
    if reply.status == 429:
        return NotPlaced("rate_limited", "The supplier asked to wait. No order was placed.", False, wait_until)
    if reply.status == 409:
        return Unknown(
            "conflict",
            f"The supplier has an order for this {'key' if keyed else 'request'} already ({said(reply)}). "
            "Look it up; do not place it again.",
        )
    if reply.status in PERMANENT_NO:
        return NotPlaced(
            reason_code(reply), f"The supplier refused the order ({said(reply)}). No order was placed.", True
        )
    return _unknown(reply)


def claim_must_wait(until: datetime) -> ClaimRefused:
    sentence = f"No call is free before {until:%H:%M:%S} UTC. Nothing was sent; the claim waits and is not filed yet."
    return ClaimRefused("waiting_for_limit", sentence, False, until)


def of_claim(
    reply: Reply, *, receipt: Callable[[Reply], ClaimReceipt | None], wait_until: datetime | None
) -> ClaimVerdict:
    """The verdict on POST /claims: filed with an id, certainly not filed, or nobody knows."""
    if not reply.sent:
        return ClaimRefused(
            "not_sent", f"The supplier could not be reached: {in_words(reply.error)}. No claim was filed.", False
        )
    if reply.status in SUCCESS and reply.is_json:
        found = receipt(reply)
        if found:
            return found
    elif is_plain_answer(reply) and reply.status == 429:
        return ClaimRefused("rate_limited", "The supplier asked to wait. No claim was filed.", False, wait_until)
    elif is_plain_answer(reply) and reply.status in PERMANENT_NO | {409}:
        permanent = reply.status not in {401, 403}
        return ClaimRefused(
            reason_code(reply), f"The supplier refused the claim ({said(reply)}). No claim was filed.", permanent
        )
    return ClaimUnknown(
        unknown_reason(reply), "The supplier gave no readable answer. Nobody knows whether the claim was filed."
    )


def word(verdict: Verdict | ClaimVerdict) -> str:
    """The verdict as one word of the exchange log."""
    if isinstance(verdict, Unknown):
        return "placed, no id" if verdict.placed_no_id else "unknown"
    words = {
        Placed: "placed",
        NotPlaced: "not placed",
        ClaimReceipt: "filed",
        ClaimRefused: "not filed",
        ClaimUnknown: "unknown",
    }
    return words[type(verdict)]


def reading_word(reply: Reply) -> str:
    if reply.status is None:
        return "no answer" if reply.sent else "not sent"
    return "read" if 200 <= reply.status < 300 and reply.is_json else "refused" if reply.is_json else "unreadable"


def reading_problem(reply: Reply, wait_until: datetime | None, account: str) -> problems.SupplierProblem | None:
    """Why a reading failed, as the exception to raise; None for a 2xx JSON answer."""
    if reply.status is not None and 200 <= reply.status < 300 and reply.is_json:
        return None
    code, _ = error_of(reply.data)
    if reply.status is None:
        return problems.NoAnswer(
            f"{account} did not answer: {in_words(reply.error)}. Nothing was changed; it is tried again."
        )
    if reply.status == 429:
        return problems.Throttled(
            f"{account} asked to wait. Nothing was changed; it is tried again.", retry_at=wait_until
        )
    if not is_plain_answer(reply) or reply.status >= 500 or reply.status < 400:
        return problems.NoAnswer(
            f"{account} gave no usable answer (status {reply.status}). Nothing was changed; it is tried again.",
            retry_at=wait_until,
            code=code,
        )
    if reply.status in {401, 403}:
        return problems.KeyRefused(
            f"{account} refuses our key. Nothing was read; an administrator must set a new one.", code=code
        )
    kinds: dict[int, type[problems.RequestRefused]] = {404: problems.NotFound, 409: problems.NotReady}
    kind = kinds.get(reply.status, problems.RequestRefused)
    return kind(f"{account} refused the request ({said(reply)}). Nothing was changed.", code=code)
