"""Addresses of an object: what differs between one's own and somebody else's. The page of permissions is written from this,
and the tests try each cell of it. An address with an object that stands in neither table fails them."""

from __future__ import annotations

from dataclasses import dataclass

from procurement.staff.permissions import Permission
from procurement.staff.roles import Role

# Whether somebody who gets to the address may do it there: yes, no, or who holds this permission.
Answer = bool | Permission


@dataclass(frozen=True)
class Rule:
    """`who` makes an object one's own; `own` and `foreign` say what then holds."""

    who: str
    own: Answer
    foreign: Answer

    def allows(self, role: type[Role], *, own: bool) -> bool:
        answer = self.own if own else self.foreign
        return answer if isinstance(answer, bool) else answer in role.permissions


def others_only(who: str, foreign: Answer = True) -> Rule:
    """Two people: not who did the first step."""
    return Rule(who, own=False, foreign=foreign)


def own_only(who: str) -> Rule:
    return Rule(who, own=True, foreign=False)


def own_or(permission: Permission, who: str) -> Rule:
    """One's own, or with this permission anybody's."""
    return Rule(who, own=True, foreign=permission)


DIFFERS: dict[str, tuple[Rule, ...]] = {
    "approvals:request_decide": (others_only("asked for the order"),),
    "bookkeeping:correction_book": (others_only("proposed it"),),
    "bookkeeping:correction_decline": (own_or(Permission.RECONCILIATION_SIGN, "proposed it"),),
    "bookkeeping:deposit_credit": (others_only("announced it, unless the supplier’s balance shows it"),),
    "catalog:mapping_activate": (others_only("drafted it"),),
    "custody:destruction_confirm": (others_only("proposed it"),),
    "orders:alert_look": (others_only("is whom it is about"),),
    "orders:code_copy": (own_or(Permission.CODE_REVEAL_BY_ORDER, "has the open case about it"),),
    "orders:code_reveal": (own_or(Permission.CODE_REVEAL_BY_ORDER, "has the open case about it"),),
    "orders:delivery_decline": (own_or(Permission.CODE_RELEASE, "asked for the file"),),
    "orders:delivery_fetch": (own_only("asked for the file"),),
    "orders:delivery_release": (others_only("asked for the file"),),
    "orders:import_decline": (own_or(Permission.CODE_RELEASE, "brought the codes"),),
    "orders:import_take_in": (others_only("brought the codes"),),
    "orders:order_quantity": (own_only("drafted it"),),
    "orders:order_submit": (own_only("drafted it"),),
    "orders:order_withdraw": (own_only("asked for it"),),
    "orders:outcome_confirm": (others_only("proposed it"), others_only("asked for the order")),
    "orders:outcome_decline": (own_or(Permission.RECONCILIATION_RUN, "proposed it"),),
    "orders:outcome_propose": (others_only("asked for the order"),),
    "orders:unclaimed_confirm": (others_only("proposed it"), others_only("asked for the order it repeats")),
    "orders:unclaimed_decline": (own_or(Permission.RECONCILIATION_RUN, "proposed it"),),
    "orders:unclaimed_propose": (others_only("asked for the order it repeats"),),
    "people:proposal_decide": (
        others_only("proposed it, and takes it back alone"),
        others_only("is whom it is about"),
    ),
    "reconciliation:day_sign": (others_only("prepared it"),),
    "reconciliation:difference_accept": (others_only("explained it"),),
    "staff:session_end": (own_only("signed in there"),),
    "suppliers:account_webhooks": (others_only("proposed the scheme", foreign=Permission.ACCOUNT_MANAGE),),
    "terms:question_check": (others_only("answered it"),),
    "terms:statement_confirm": (others_only("recorded it"),),
}

# Whose it is makes no difference here: what everybody with the permission reads or does, whoever made it.
ALIKE = {
    "approvals": "request_detail",
    "bookkeeping": "correction_detail deposit_detail deposit_evidence deposit_evidence_add deposit_step entry_detail",
    "catalog": (
        "import_apply import_detail import_example import_refused_csv mapping_retire product_detail "
        "sku_detail sku_draft"
    ),
    "claims": (
        "case_close case_detail case_error case_message case_overrule case_region case_reopen case_solve "
        "case_take claim_by_hand claim_detail claim_new claim_not_arrived claim_outcome claim_reference"
    ),
    "custody": "code_erase destruction_decline key_detail key_propose",
    "onboarding": (
        "checklist_detail checklist_tick contract_detail probe_detail probe_products probe_start probe_stop "
        "validated_take_in"
    ),
    "orders": (
        "alert_detail code_hand_over code_trail delivery_detail import_detail order_bring_in order_cancel "
        "order_deliver order_detail order_look order_status order_trail outcome_note unclaimed_order "
        "unconfirmed_order"
    ),
    "people": (
        "invitation_open limits_change person_detail person_end person_link person_roles person_withdraw "
        "proposal_detail"
    ),
    "reconciliation": (
        "day_detail day_evidence day_evidence_add day_match day_prepare day_report day_withdraw "
        "difference_explain statement_apply statement_detail"
    ),
    "staff": "sign_out_person",
    "suppliers": (
        "account_balance account_detail account_key account_next_key account_pause account_registration "
        "account_resume account_settings exchange_detail hook webhook_detail webhook_replay"
    ),
    "terms": (
        "access_note account_access account_prices account_questions account_term account_terms price_file "
        "price_receive question_answer statement_contradict"
    ),
}
SAME = frozenset(f"{room}:{page}" for room, pages in ALIKE.items() for page in pages.split())
