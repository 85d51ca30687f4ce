"""How the evidence of a run speaks for or against a clause. Each function gives a judge; None of a judge: not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from procurement.bookkeeping import postings
from procurement.onboarding.evidence import Evidence
from procurement.onboarding.states import BROKE, CONTRADICTED, OBSERVED, SKIPPED
from procurement.suppliers.clients import normal_status
from procurement.suppliers.clients.types import UNRECOGNISED
from procurement.suppliers.models import Exchange
from procurement.suppliers.states import BAD_SIGNATURE, TOO_OLD

UNREADABLE = frozenset({"NotJson", "BadJson", "EmptyBody"})
# These say that there is no such call, or not in this form.
NOT_THERE = frozenset({404, 405, 410, 415})


@dataclass(frozen=True)
class Finding:
    """A verdict and what was seen, without codes and keys."""

    verdict: str
    seen: str


Judge = Callable[[Evidence], Finding | None]


def either(holds: bool, seen: str) -> Finding:
    return Finding(OBSERVED if holds else CONTRADICTED, seen[:600])


def call_words(call: Exchange) -> str:
    return f"{call.method} {call.path.partition('?')[0]} answered {call.answer_words}"


def answers(purpose: str) -> Judge:
    """There is such a call: it was answered with 2xx."""

    def judge(evidence: Evidence) -> Finding | None:
        good = evidence.answered(purpose)
        if good:
            return either(True, call_words(good))
        missing = [call for call in evidence.of(purpose) if call.status in NOT_THERE]
        return either(False, call_words(missing[-1])) if missing else None

    return judge


def fits(step: str, purpose: str) -> Judge:
    """The step read all the fields it needs out of a 2xx answer; the step names the field that did not fit."""

    def judge(evidence: Evidence) -> Finding | None:
        good = evidence.answered(purpose)
        if evidence.held(step):
            return either(True, evidence.seen(step)) if good else None
        broke = step in evidence.steps and evidence.steps[step].outcome == BROKE
        return either(False, evidence.seen(step)) if good and broke else None

    return judge


def step_holds(step: str) -> Judge:
    """The step shows it by itself; a step that never began says nothing."""

    def judge(evidence: Evidence) -> Finding | None:
        row = evidence.steps.get(step)
        if row is None or row.begun_at is None or row.outcome == SKIPPED:
            return None
        return either(row.held, row.seen)

    return judge


def order_is_taken(evidence: Evidence) -> Finding | None:
    """The request is understood: only a refusal of its form speaks against it, not one of stock or money."""
    call = evidence.placing
    if call is None or call.status is None:
        return None
    if call.status < 300:
        return either(True, call_words(call))
    form = call.status in {400, 405, 415} or evidence.error_code(call) in {"invalid_request", "validation_failed"}
    return either(False, call_words(call)) if form else None


def order_answered_with(*statuses: int) -> Judge:
    def judge(evidence: Evidence) -> Finding | None:
        call = evidence.placing
        if call is None or call.status is None or call.status >= 300:
            return None
        return either(call.status in statuses, call_words(call))

    return judge


def order_has(*names: str) -> Judge:
    """The answer to a new order holds these fields."""

    def judge(evidence: Evidence) -> Finding | None:
        body = evidence.body(evidence.placing)
        if not body or (evidence.placing and (evidence.placing.status or 500) >= 300):
            return None
        lacking = [name for name in names if body.get(name) is None]
        return either(not lacking, f"lacks {', '.join(lacking)}" if lacking else f"holds {', '.join(names)}")

    return judge


def order_price(evidence: Evidence) -> Finding | None:
    """What the supplier charged is the unit cost less the tier's discount, rounded half up, times the quantity."""
    order = evidence.order
    if order is None or evidence.charged is None:
        return None
    before = evidence.balance(before=True)
    points = (before.tier_discount_bp or 0) if before else 0
    expected = (order.unit_cost_minor * (10_000 - points) + 5_000) // 10_000 * order.quantity
    charged, agreed = (postings.amount_text(minor, order.cost_currency) for minor in (evidence.charged, expected))
    tier = f", tier discount {points / 100:g} %" if points else ""
    return either(evidence.charged == expected, f"charged {charged}, expected {agreed}{tier}")


def balance_falls(evidence: Evidence) -> Finding | None:
    """Between the readings before and after, the balance fell by what the order was charged."""
    before, after = evidence.balance(before=True), evidence.balance(before=False)
    if before is None or after is None or evidence.charged is None or evidence.other_movements(before, after):
        return None
    fell, charged = (
        postings.amount_text(minor, before.currency) for minor in (before.available - after.available, evidence.charged)
    )
    return either(before.available - after.available == evidence.charged, f"fell by {fell}, the order cost {charged}")


def replay_status(evidence: Evidence) -> Finding | None:
    call = evidence.call_of("no second purchase")
    if call is None or call.status is None or call.status >= 300:
        return None
    return either(call.status == 200, call_words(call))


def refused_with(step: str, status: int, code: str) -> Judge:
    """The call of this step was refused with exactly this status and error code."""

    def judge(evidence: Evidence) -> Finding | None:
        call = evidence.call_of(step)
        if call is None or call.status is None or call.status == 429 or call.status >= 500:
            return None
        said = evidence.error_code(call)
        return either((call.status, said) == (status, code), f"answered {call.status} {said}".strip())

    return judge


def error_shape(evidence: Evidence) -> Finding | None:
    """Every refusal of the run that could be read is an object `error` with a code and a message."""
    refusals = [call for call in evidence.calls if call.status and 400 <= call.status < 500 and call.response_body]
    wrong = [call for call in refusals if not evidence.has_error(call)]
    if wrong:
        return either(False, f"{call_words(wrong[0])} without code and message in error")
    codes = sorted({evidence.error_code(call) for call in refusals})
    return either(True, f"{len(refusals)} refusals: {', '.join(codes)}") if refusals else None


def wrong_key(evidence: Evidence) -> Finding | None:
    row = evidence.steps.get("wrong key")
    if row is None or row.ended_at is None:
        return None
    refused = [call for call in evidence.calls if call.status in {401, 403} and call.purpose == "balance.read"]
    if refused:
        return either(refused[-1].status == 401, call_words(refused[-1]))
    return either(False, row.seen) if row.outcome == BROKE and evidence.answered("balance.read") else None


def good_key(evidence: Evidence) -> Finding | None:
    good = [call for call in evidence.calls if call.status and call.status < 300]
    return either(True, f"{len(good)} calls were let in by the key in this header") if good else None


def all_json(evidence: Evidence) -> Finding | None:
    answered = [call for call in evidence.calls if call.status is not None]
    wrong = [call for call in answered if call.error_class in UNREADABLE]
    if wrong:
        return either(False, f"{wrong[0].purpose}: {wrong[0].status}, {wrong[0].error_words}")
    return either(True, f"{len(answered)} answers") if answered else None


def rate_headers(evidence: Evidence) -> Finding | None:
    """Both headers stand on every answer."""
    answered = [call for call in evidence.calls if call.status is not None]
    without = [call for call in answered if call.remaining_calls is None or not call.retry_after]
    if without:
        return either(False, f"{len(without)} of {len(answered)} answers lack one, the first: {call_words(without[0])}")
    fewest = min((call.remaining_calls or 0 for call in answered), default=0)
    return either(True, f"on all {len(answered)} answers; at least {fewest} calls left") if answered else None


def asks_to_wait(evidence: Evidence) -> Finding | None:
    """Only seen when the supplier asked us to wait while the run went."""
    limited = [call for call in evidence.calls if call.status == 429]
    without = [call for call in limited if not call.retry_after]
    if not limited:
        return None
    return either(not without, f"{len(limited)} answers of 429, Retry-After {limited[0].retry_after or 'missing'}")


def answer_ids(evidence: Evidence) -> Finding | None:
    answered = [call for call in evidence.calls if call.status is not None]
    without = [call for call in answered if not call.response_id]
    if without:
        return either(False, f"{len(without)} of {len(answered)} answers, the first: {call_words(without[0])}")
    return either(True, f"on all {len(answered)} answers, such as {answered[0].response_id}") if answered else None


def statuses(evidence: Evidence) -> Finding | None:
    """Every status word heard of the order is one we know."""
    if evidence.order is None or not evidence.order.remote_id:
        return None
    reads = [call for call in evidence.of("orders.read") if call.path.endswith(evidence.order.remote_id)]
    heard = [str(evidence.body(call).get("status", "")) for call in [evidence.placing, *reads]]
    words = list(dict.fromkeys(filter(None, [*heard, *(event.remote_status for event in evidence.events)])))
    unknown = [word for word in words if normal_status(evidence.account.dialect, word) == UNRECOGNISED]
    if not words:
        return None
    return either(not unknown, f"unknown word {unknown[0]}" if unknown else f"heard {', '.join(words)}")


def codes_readable(evidence: Evidence) -> Finding | None:
    """The codes could be read, with the fields needed; the order's own problem says what did not fit."""
    good = evidence.answered("orders.codes")
    if good is None:
        return None
    return either(evidence.code is not None, call_words(good) if evidence.code else evidence.seen("codes"))


def code_is_right(evidence: Evidence) -> Finding | None:
    """Twelve characters, of the region that was ordered."""
    code, order = evidence.code, evidence.order
    if code is None or order is None:
        return None
    wrong = code.state in {"invalid", "wrong_region"}
    what = order.problem if wrong and order.problem else f"ordered {order.region}, came {code.region or 'unstated'}"
    return either(not wrong, f"{code.status.label.lower() if wrong else 'well formed'}; {what}")


def codes_again(evidence: Evidence) -> Finding | None:
    call = evidence.call_of("codes again")
    if call is None or call.status is None or call.status >= 500:
        return None
    return either(call.status == 200, call_words(call))


def event_named(wanted: str, *others: str) -> Judge:
    """Events about the order bear this name; a name that is none of ours speaks against the clause."""

    def judge(evidence: Evidence) -> Finding | None:
        heard = list(dict.fromkeys(event.event_type for event in evidence.events))
        unknown = [name for name in heard if name not in {wanted, *others}]
        words = f"heard {', '.join(name or 'no name' for name in heard)}"
        return either(not unknown, words) if unknown or wanted in heard else None

    return judge


def event_has_all(evidence: Evidence) -> Finding | None:
    if not evidence.events:
        return None
    parts = {"type": "event_type", "order id": "remote_order_id", "status": "remote_status", "time": "occurred_at"}
    lacking = [words for words, name in parts.items() if not all(getattr(event, name) for event in evidence.events)]
    return either(not lacking, f"lacks {', '.join(lacking)}" if lacking else f"{len(evidence.events)} events with all")


def event_ids(evidence: Evidence) -> Finding | None:
    if not evidence.events:
        return None
    ids = [event.event_id for event in evidence.events]
    return either(all(ids) and len(set(ids)) == len(ids), f"{len(ids)} events, {len({one for one in ids if one})} ids")


def event_signature(evidence: Evidence) -> Finding | None:
    """A proven event speaks for the scheme. Refused ones alone speak against it: a stranger's can't be told from the
    supplier's, so they count only where none is proven."""
    if evidence.events:
        return either(True, f"{len(evidence.events)} events fit, by the {evidence.events[0].signed_by}")
    refused = evidence.refused(BAD_SIGNATURE)
    return either(False, f"{len(refused)} messages came whose signature does not fit") if refused else None


def event_time(evidence: Evidence) -> Finding | None:
    """Fresh enough when it came; the check's own words say how old."""
    old = evidence.refused(TOO_OLD)
    if not evidence.events and not old:
        return None
    checks = (old or evidence.events)[0].checks
    said = next((check["outcome"] for check in checks if check["name"] == "Time"), "no time")
    return either(not old, said)


def claim_is_taken(evidence: Evidence) -> Finding | None:
    call = evidence.call_of("claim")
    if call is None or call.status is None:
        return None
    if call.status < 300:
        return either(True, call_words(call))
    return either(False, call_words(call)) if call.status in NOT_THERE else None


def claim_has_id(evidence: Evidence) -> Finding | None:
    body = evidence.body(evidence.call_of("claim"))
    if not body or "error" in body:
        return None
    lacking = [name for name in ("id", "status") if not body.get(name)]
    return either(not lacking, f"lacks {', '.join(lacking)}" if lacking else f"{body['id']}, {body['status']}")


def regions_at_least(wanted: int) -> Judge:
    def judge(evidence: Evidence) -> Finding | None:
        if not evidence.held("products"):
            return None
        labels = sorted(set(evidence.account.products.filter(active=True).values_list("region", flat=True)))
        return either(len(labels) >= wanted, f"{len(labels)}: {', '.join(labels)}")

    return judge


def balance_has_tier(evidence: Evidence) -> Finding | None:
    if not evidence.held("balance"):
        return None
    last = evidence.account.snapshots.order_by("-taken_at", "-pk").first()
    stated = last is not None and last.tier_discount_bp is not None
    return either(
        stated, f"{last.tier_name}, {(last.tier_discount_bp or 0) / 100:g} %" if last and stated else "no tier"
    )
