"""A SKU import changes nothing before it is applied, and then exactly what was shown, once."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from procurement.audit.models import AuditEvent
from procurement.catalog import services
from procurement.catalog.models import Sku, SkuImport
from procurement.catalog.services import apply_import, dry_run
from procurement.catalog.skulist.judging import Line, counts_of
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.staff.models import User
from tests.catalog.conftest import make_account, make_mapping, make_product, make_sku

SAMPLE = Path(services.__file__).parent.parent / "sample"
HEADER = b"sku,title,region,currency,denomination,active\n"
LINE = b"PSN-US-50,Card $50,US,USD,50,yes\n"


def sample(by: User, name: str = "storefront_skus.csv") -> SkuImport:
    return dry_run(by=by, file_name=name, content=(SAMPLE / name).read_bytes())


def small(by: User, *lines: bytes) -> SkuImport:
    return dry_run(by=by, file_name="list.csv", content=HEADER + b"".join(lines))


def test_a_dry_run_changes_no_sku(buyer: User) -> None:
    made = sample(buyer)
    assert counts_of(cast("list[Line]", made.lines)) == {"add": 208, "change": 0, "same": 0, "refuse": 0}
    assert not Sku.objects.exists()
    assert not AuditEvent.objects.exists()


@pytest.mark.requirement("R2", "R6")
def test_applying_does_what_was_shown_and_leaves_the_record(buyer: User) -> None:
    made = sample(buyer, "storefront_skus_messy.csv")
    assert apply_import(by=buyer, sku_import=made) == {"add": 4, "change": 0, "same": 0, "refuse": 15}
    skus = {sku.code: (sku.region, sku.currency, sku.face_minor, sku.active) for sku in Sku.objects.all()}
    assert skus == {
        "PSN-US-50": ("US", "USD", 5000, True),
        "PSN-TR-250": ("TR", "TRY", 25000, True),
        "PSN-UK-20": ("GB", "GBP", 2000, True),
        "PSN-JP-1100": ("JP", "JPY", 1100, True),
    }
    event = AuditEvent.objects.get(action="sku.imported")
    assert (event.actor, event.facts["count"], event.facts["refused"]) == (buyer, 4, 15)


def test_applying_twice_gives_the_first_result_and_does_nothing_more(buyer: User, manager: User) -> None:
    made = small(buyer, LINE)
    stale_copy = SkuImport.objects.get(pk=made.pk)
    first = apply_import(by=buyer, sku_import=made)
    Sku.objects.update(title="Changed by hand")
    assert apply_import(by=manager, sku_import=stale_copy) == first
    assert Sku.objects.get().title == "Changed by hand"
    assert SkuImport.objects.get().applied_by == buyer
    assert AuditEvent.objects.filter(action="sku.imported").count() == 1


def test_the_same_file_again_is_all_the_same(buyer: User) -> None:
    apply_import(by=buyer, sku_import=sample(buyer))
    again = sample(buyer)
    assert {line["outcome"] for line in again.lines} == {"same"}
    with pytest.raises(Refused, match="adds and changes nothing"):
        apply_import(by=buyer, sku_import=again)
    again.refresh_from_db()
    assert again.applied_at is None


def test_a_change_shows_before_and_after_and_is_recorded(buyer: User) -> None:
    sku = make_sku()
    made = small(buyer, b"PSN-US-50,Card $60,US,USD,60,no\n")
    changes = ["Title: Card 50 → Card $60", "Face value: 50.00 USD → 60.00 USD", "Active: yes → no"]
    assert made.lines[0]["changes"] == changes
    apply_import(by=buyer, sku_import=made)
    sku.refresh_from_db()
    assert (sku.title, sku.face_minor, sku.active) == ("Card $60", 6000, False)
    assert AuditEvent.objects.get(action="sku.changed").facts["what"] == "; ".join(changes)


def test_a_change_that_breaks_an_active_mapping_says_so(buyer: User) -> None:
    make_mapping(make_sku(), make_product(make_account()))
    made = small(buyer, b"PSN-US-50,Card $60,US,USD,60,yes\n")
    assert "active mapping will not fit" in made.lines[0]["changes"][-1]


def test_a_sku_the_file_does_not_name_stays(buyer: User) -> None:
    other = make_sku("TR", 25000, "TRY")
    apply_import(by=buyer, sku_import=small(buyer, LINE))
    other.refresh_from_db()
    assert other.active


def test_a_stale_dry_run_is_made_again_instead_of_applied(buyer: User) -> None:
    made = small(buyer, LINE)
    make_sku()
    with pytest.raises(StaleState, match="Nothing was imported"):
        apply_import(by=buyer, sku_import=made)
    made.refresh_from_db()
    assert (made.applied_at, made.lines[0]["outcome"]) == (None, "change")
    assert Sku.objects.get().title == "Card 50"
    assert apply_import(by=buyer, sku_import=made)["change"] == 1


def test_a_code_that_differs_in_capitals_only_is_refused(buyer: User) -> None:
    make_sku(code="psn-us-50")
    line = small(buyer, LINE).lines[0]
    assert (line["outcome"], line["clash"]) == (
        "refuse",
        "The SKU psn-us-50 exists and differs in capital letters only.",
    )


def test_support_cannot_import(support: User, buyer: User) -> None:
    with pytest.raises(NotAllowed):
        small(support, LINE)
    made = small(buyer, LINE)
    with pytest.raises(NotAllowed):
        apply_import(by=support, sku_import=made)
    assert not Sku.objects.exists()
    assert SkuImport.objects.get().applied_at is None
