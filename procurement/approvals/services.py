"""Asking for a decision and giving one. The caller supplies what is decided as plain content; nothing here knows an order."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from ledger.money import format_amount
from procurement.approvals.models import ApprovalRequest, ApprovalRule
from procurement.approvals.policies import check_can_decide, check_open
from procurement.approvals.states import APPROVAL
from procurement.audit.services import record, subject_of
from procurement.errors import Refused
from procurement.staff.models import User
from procurement.states import transition

# Below these a buyer needs nobody, until an installation sets its own rule: minor units of any currency.
DEFAULT_ORDER_LIMIT_MINOR = 500_00
DEFAULT_DAILY_LIMIT_MINOR = 2_000_00
APPROVAL_LIFE = timedelta(hours=24)


def content_hash(content: dict[str, Any]) -> str:
    """SHA-256 of the content in one canonical form: what is approved is exactly this."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def limits_for(currency: str) -> tuple[int, int]:
    """(limit of one order, limit of one person's UTC day) in minor units of `currency`."""
    rule = ApprovalRule.objects.filter(currency=currency).first()
    if rule is None:
        return DEFAULT_ORDER_LIMIT_MINOR, DEFAULT_DAILY_LIMIT_MINOR
    return rule.order_limit_minor, rule.daily_limit_minor


def set_limits(*, by: User, currency: str, order_limit_minor: int, daily_limit_minor: int, at: datetime) -> None:
    """Put other limits on purchases in `currency` (minor units); whoever calls has had them confirmed by two people (R35)."""
    before = limits_for(currency)
    limits = {"order_limit_minor": order_limit_minor, "daily_limit_minor": daily_limit_minor}
    rule, _ = ApprovalRule.objects.update_or_create(
        currency=currency, defaults={**limits, "changed_by": by, "changed_at": at}
    )
    words = [" and ".join(format_amount(limit, currency) for limit in pair) for pair in (before, limits.values())]
    record("approval_rule.changed", by=by, subject=rule, before=words[0], after=words[1])


def rule_for(*, amount_minor: int, spent_today_minor: int, currency: str) -> str:
    """Why `amount_minor` needs a second person, as a sentence; empty if it does not (R35).

    The day counts too, so that a large order split in small ones does not slip under the limit.
    """
    order_limit, daily_limit = limits_for(currency)
    if amount_minor > order_limit:
        return f"Over {format_amount(order_limit, currency)} {currency}: needs one manager"
    if amount_minor + spent_today_minor > daily_limit:
        return f"Over {format_amount(daily_limit, currency)} {currency} in one day: needs one manager"
    return ""


def ask(
    *,
    by: User,
    subject: models.Model,
    content: dict[str, Any],
    amount_minor: int,
    currency: str,
    rule: str,
    reason: str = "",
) -> ApprovalRequest:
    """Put a question to a second person; the content is frozen and the answer is void after 24 hours."""
    kind, pk = subject_of(subject)
    now = timezone.now()
    with transaction.atomic():
        request = ApprovalRequest.objects.create(
            subject_kind=kind,
            subject_id=pk,
            subject_label=str(subject),
            content=content,
            content_hash=content_hash(content),
            amount_minor=amount_minor,
            currency=currency,
            rule=rule,
            requested_by=by,
            requested_at=now,
            expires_at=now + APPROVAL_LIFE,
        )
        amount = f"{format_amount(amount_minor, currency)} {currency}"
        record("approval.requested", by=by, subject=request, reason=reason, amount=amount, rule=rule)
    return request


def decide(*, by: User, request: ApprovalRequest, verdict: str, shown_hash: str, reason: str = "") -> None:
    """Approve, reject or send back (`verdict` is the target state). Refuses one's own request, a stale page, an expired
    request, and a refusal without a reason; nothing is written then."""
    check_can_decide(by, request)
    check_open(request, shown_hash)
    if verdict in {"rejected", "sent_back"} and len(reason.strip()) < 3:
        raise Refused("Say why in a few words: the buyer reads it. Nothing was decided.")
    amount = f"{format_amount(request.amount_minor, request.currency)} {request.currency}"
    transition(
        request,
        verdict,
        by=by,
        machine=APPROVAL,
        reason=reason.strip(),
        facts={"amount": amount},
        decided_by=by,
        decided_at=timezone.now(),
        decision_reason=reason.strip(),
    )


def withdraw(*, by: User | None, request: ApprovalRequest, reason: str = "") -> None:
    """Take the question back, or let the clock close it (`by=None`: expired)."""
    transition(request, "withdrawn" if by else "expired", by=by, machine=APPROVAL, reason=reason)
