"""Every combination of the four facts gives the row of the table that the desk agreed on."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from procurement.claims.messages import MESSAGES
from procurement.claims.verdict import ACTIONS, TABLE, Facts, Side, needs_account_region, verdict, verdict_named

US, TR, GB = "US", "TR", "GB"


def facts(sold: str, mapped: str, delivered: str, account: str = "", **changes: object) -> Facts:
    made = Facts(
        Side(sold, "USD", 5000), Side(mapped, "USD", 5000), Side(delivered, "USD", 5000), account, "v3 by Ana, 2 Nov"
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def faces(sold: int, mapped: int, delivered: int | None, account: str = US) -> Facts:
    return Facts(Side(US, "USD", sold), Side(US, "USD", mapped), Side(US, "USD", delivered), account, "v3")


# sold, mapped, delivered, account -> key, owner, action, claim reason, message
ROWS = [
    ((US, TR, TR, ""), "our_mapping", "us", "replace", None, "region_ours"),
    ((US, TR, TR, US), "our_mapping", "us", "replace", None, "region_ours"),
    ((US, US, TR, ""), "supplier_region", "supplier", "file_claim", "wrong_region", "region_supplier"),
    ((US, US, TR, US), "supplier_region", "supplier", "file_claim", "wrong_region", "region_supplier"),
    ((US, GB, TR, ""), "two_faults", "both", "file_claim", "wrong_region", "region_supplier"),
    ((US, GB, TR, US), "two_faults", "both", "file_claim", "wrong_region", "region_supplier"),
    ((US, US, US, TR), "account_region", "customer", "message", None, "region_account"),
    ((US, US, US, US), "not_region", "unknown", "check_typing", "invalid", "manual_review"),
    ((US, US, US, ""), "ask_region", "unknown", "message", None, "ask_region"),
    ((US, US, "", ""), "not_stated", "unknown", "ask_supplier", None, "manual_review"),
    ((US, US, "", US), "not_stated", "unknown", "ask_supplier", None, "manual_review"),
    ((US, TR, "", US), "not_stated", "unknown", "ask_supplier", None, "manual_review"),
    # Before the table: delivered and account agree, so the code works there whatever the rest says.
    ((US, TR, TR, TR), "works_here", "unknown", "check_typing", "invalid", "manual_review"),
    ((US, US, TR, TR), "works_here", "unknown", "check_typing", "invalid", "manual_review"),
    ((US, GB, TR, TR), "works_here", "unknown", "check_typing", "invalid", "manual_review"),
    ((US, TR, US, US), "works_here", "unknown", "check_typing", "invalid", "manual_review"),
    # Before the table: the customer holds what was sold, only the money side differs.
    ((US, TR, US, ""), "money_side", "none", "note_difference", None, "ask_region"),
    ((US, TR, US, GB), "money_side", "none", "note_difference", None, "region_account"),
]


@pytest.mark.requirement("R74")
@pytest.mark.parametrize(("given", "key", "owner", "action", "reason", "message"), ROWS)
def test_the_table_for_regions(
    given: tuple[str, str, str, str], key: str, owner: str, action: str, reason: str | None, message: str
) -> None:
    found = verdict(facts(*given))
    assert (found.key, found.owner, found.action, found.claim_reason, found.message) == (
        key,
        owner,
        action,
        reason,
        message,
    )
    assert "{" not in found.sentence


@pytest.mark.requirement("R74")
def test_every_combination_of_three_regions_has_exactly_one_verdict() -> None:
    """Names of regions do not matter, only which are equal: a permutation of them changes no verdict."""
    regions = (US, TR, GB)
    swapped = {US: TR, TR: GB, GB: US, "": ""}
    for sold, mapped, delivered, account in product(regions, regions, (*regions, ""), (*regions, "")):
        found = verdict(facts(sold, mapped, delivered, account))
        turned = verdict(facts(swapped[sold], swapped[mapped], swapped[delivered], swapped[account]))
        assert found.key == turned.key
        assert found.key in TABLE
        assert found.action in ACTIONS
        assert found.message in MESSAGES
        if found.owner == "supplier":
            assert mapped != delivered
            assert sold == mapped
        if found.owner == "us":
            assert sold != mapped
            assert found.claim_reason is None
        if delivered and delivered == account:
            assert found.sentence.startswith(("This code should work", "Not a region problem"))


def test_faults_that_do_not_concern_the_customer_are_filed_apart() -> None:
    found = verdict(facts(US, GB, TR, TR))
    assert found.key == "works_here"
    assert len(found.also) == 2
    assert "sold was US, ordered GB" in found.also[0]
    assert "TR instead of GB" in found.also[1]


def test_the_verdict_names_the_frozen_mapping_version() -> None:
    assert "v3 by Ana, 2 Nov" in verdict(facts(US, TR, TR)).sentence


# sold, mapped, delivered face value -> key, owner, action, claim reason
FACES = [
    ((5000, 2000, 2000), "our_face", "us", "replace", None),
    ((5000, 5000, 2000), "supplier_face", "supplier", "file_claim", "wrong_region"),
    ((5000, 2000, 1000), "two_face_faults", "both", "file_claim", "wrong_region"),
    ((5000, 2000, 5000), "money_side_face", "none", "note_difference", None),
    ((5000, 2000, None), "face_not_stated", "unknown", "ask_supplier", None),
    ((5000, 5000, None), "not_region", "unknown", "check_typing", "invalid"),
    ((5000, 5000, 5000), "not_region", "unknown", "check_typing", "invalid"),
]


@pytest.mark.requirement("R74")
@pytest.mark.parametrize(("given", "key", "owner", "action", "reason"), FACES)
def test_the_same_table_runs_for_denominations(
    given: tuple[int, int, int | None], key: str, owner: str, action: str, reason: str | None
) -> None:
    found = verdict(faces(*given))
    assert (found.key, found.owner, found.action, found.claim_reason) == (key, owner, action, reason)


def test_a_fault_in_the_value_does_not_hide_that_the_code_works_on_the_account() -> None:
    found = verdict(faces(5000, 5000, 2000, US))
    assert found.sentence.startswith("Not a region problem")
    assert "20 USD instead of 50 USD" in found.sentence
    assert found.claim_reason == "wrong_region"


def test_the_same_number_in_another_currency_is_another_value() -> None:
    made = Facts(Side(TR, "TRY", 5000), Side(TR, "USD", 5000), Side(TR, "USD", 5000), TR)
    assert verdict(made).key == "our_face"


def test_a_claimable_fault_in_the_value_comes_before_our_own_fault_in_the_region() -> None:
    made = Facts(Side(US, "USD", 5000), Side(TR, "USD", 5000), Side(TR, "USD", 2000), "", "v3")
    found = verdict(made)
    assert found.key == "supplier_face"
    assert "ordered the wrong region" in found.also[0]


def test_a_fault_in_the_region_keeps_the_value_beside_it() -> None:
    made = Facts(Side(US, "USD", 5000), Side(US, "USD", 5000), Side(TR, "USD", 2000), "", "v3")
    found = verdict(made)
    assert found.key == "supplier_region"
    assert any("another value" in sentence for sentence in found.also)


@pytest.mark.requirement("N5")
def test_a_code_that_came_cut_off_is_the_suppliers_whatever_its_region() -> None:
    found = verdict(facts(US, US, US, "", damaged=True))
    assert (found.key, found.claim_reason) == ("damaged", "failed")


@pytest.mark.requirement("N11")
@pytest.mark.parametrize(
    ("given", "asked"),
    [((US, US, US), True), ((US, US, ""), True), ((US, TR, US), True), ((US, US, TR), False), ((US, TR, TR), False)],
)
def test_the_account_region_is_asked_for_only_while_it_can_decide(given: tuple[str, str, str], asked: bool) -> None:
    assert needs_account_region(facts(*given)) is asked


@pytest.mark.parametrize("key", list(TABLE))
def test_every_row_can_be_chosen_by_a_person_and_speaks(key: str) -> None:
    found = verdict_named(key, facts(US, TR, GB, US))
    assert found.sentence
    assert "{" not in found.sentence
    assert found.owner_words
    assert found.certainty_words
    assert found.action_words
