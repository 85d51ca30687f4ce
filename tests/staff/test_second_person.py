"""Whoever confirms as the second of two has had that role for a day: a role given a moment ago is no second pair of eyes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from procurement.approvals.models import ApprovalRequest
from procurement.approvals.policies import check_can_decide
from procurement.audit.models import AuditEvent
from procurement.bookkeeping.corrections import book_correction
from procurement.bookkeeping.models import Correction
from procurement.catalog.models import Mapping
from procurement.catalog.services.mapping import activate_all_exact, activate_mapping
from procurement.custody.erasing import confirm_destruction
from procurement.custody.models import Destruction
from procurement.errors import NotAllowed
from procurement.orders.models import CodeImport, DeliveryFile, Order, UnclaimedOrder
from procurement.orders.services.bringing_in import take_in_import
from procurement.orders.services.handing_over import release_file
from procurement.orders.services.resolving import confirm_outcome
from procurement.orders.services.unclaimed import confirm_end
from procurement.people.models import Proposal
from procurement.people.proposals import confirm
from procurement.reconciliation.models import Difference, SignOff
from procurement.reconciliation.signing import accept_difference, sign_day
from procurement.suppliers.calibrating import confirm_scheme
from procurement.suppliers.models import SupplierAccount
from procurement.terms.asking import check_question
from procurement.terms.models import Question, Statement
from procurement.terms.services import confirm_statement
from tests.conftest import make_newcomer

# Each act by which a second person makes something of worth hold, and the role it asks for first.
ACTS: dict[str, tuple[str, Callable[[Any], object]]] = {
    "approve an order": ("manager", lambda by: check_can_decide(by, ApprovalRequest())),
    "end an unconfirmed order": ("finance", lambda by: confirm_outcome(by=by, order=Order())),
    "end an unclaimed order": ("finance", lambda by: confirm_end(by=by, row=UnclaimedOrder())),
    "release a delivery file": ("manager", lambda by: release_file(by=by, file=DeliveryFile())),
    "take an import in": ("manager", lambda by: take_in_import(by=by, batch=CodeImport())),
    "book a correction": ("finance", lambda by: book_correction(by=by, correction=Correction())),
    "accept a difference": ("finance", lambda by: accept_difference(by=by, difference=Difference())),
    "sign a day": ("finance", lambda by: sign_day(by=by, sign_off=SignOff(), shown_hash="")),
    "activate a mapping": ("manager", lambda by: activate_mapping(by=by, mapping=Mapping())),
    "activate all mappings": ("manager", lambda by: activate_all_exact(by=by)),
    "pin a scheme": (
        "admin",
        lambda by: confirm_scheme(by=by, account=SupplierAccount(), calibration_id="", proposed_at=""),
    ),
    "confirm a statement": ("admin", lambda by: confirm_statement(by=by, statement=Statement())),
    "check an answer": ("admin", lambda by: check_question(by=by, question=Question())),
    "change somebody's roles": ("admin", lambda by: confirm(by=by, proposal=Proposal())),
    "destroy a key": ("admin", lambda by: confirm_destruction(by=by, row=Destruction())),
}


@pytest.mark.django_db
@pytest.mark.requirement("R63")
@pytest.mark.parametrize("act", ACTS)
def test_a_role_of_today_confirms_nothing(act: str) -> None:
    role, confirm_it = ACTS[act]
    newcomer = make_newcomer("new", role)

    with pytest.raises(NotAllowed, match=r"younger than 24 hours.* It may from .* Nothing was changed\."):
        confirm_it(newcomer)

    assert not AuditEvent.objects.exists()
