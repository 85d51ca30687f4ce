"""Who may decide, and on what. Each sentence is written here once and shown wherever it applies."""

from __future__ import annotations

from django.utils import timezone

from procurement.approvals.models import ApprovalRequest
from procurement.errors import NotAllowed, StaleState
from procurement.staff.access import check_confirms, people_with
from procurement.staff.models import User
from procurement.staff.permissions import Permission


def check_can_decide(user: User, request: ApprovalRequest) -> None:
    """A manager decides, whose role is a day old, and never on what they asked for themselves."""
    check_confirms(user, Permission.ORDER_APPROVE)
    if user.pk == request.requested_by_id:
        others = (
            ", ".join(str(person) for person in people_with(Permission.ORDER_APPROVE, but=user)) or "another manager"
        )
        raise NotAllowed(f"You asked for this; it needs another manager: {others}. Nothing was decided.")


def check_open(request: ApprovalRequest, shown_hash: str) -> None:
    """Only an open request, unexpired, showing exactly what is decided."""
    if request.state != "open":
        who = f" by {request.decided_by}" if request.decided_by else ""
        raise StaleState(f"This was already decided: {request.status.label}{who}. Nothing was changed.")
    if timezone.now() > request.expires_at:
        raise StaleState(
            "This request is older than 24 hours and has expired. Nothing was decided; the buyer can ask again."
        )
    if shown_hash != request.content_hash:
        raise StaleState("The order changed since you opened this page. Nothing was decided. Look at it again.")
