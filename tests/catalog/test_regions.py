from __future__ import annotations

import csv
from pathlib import Path

import pytest

from procurement.catalog import regions
from procurement.catalog.regions import NoRegion

SAMPLE = Path(regions.__file__).parent / "sample" / "storefront_skus.csv"


@pytest.mark.parametrize(("written", "code"), [("US", "US"), ("uk", "GB"), (" tr ", "TR"), ("UK", "GB"), ("usa", "US")])
def test_region_is_read_in_any_case_and_by_its_alias(written: str, code: str) -> None:
    assert regions.region_of(written).code == code


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("EU", "EU is no region"),
        ("global", "GLOBAL is no region"),
        ("", "never guessed"),
        ("ZZ", "no region this list knows"),
    ],
)
def test_word_that_is_no_region_is_refused_with_its_reason(written: str, reason: str) -> None:
    with pytest.raises(NoRegion, match=reason):
        regions.region_of(written)


@pytest.mark.requirement("R8")
def test_the_storefronts_twelve_regions_and_their_currencies_are_sold() -> None:
    with SAMPLE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 190
    assert {row["region"] for row in rows} == {region.code for region in regions.REGIONS.values() if region.sold}
    assert all(row["currency"] in regions.region_of(row["region"]).currencies for row in rows)


@pytest.mark.parametrize("code", ["AE", "SA", "KW", "QA", "BH", "OM", "LB"])
def test_gulf_and_lebanese_cards_are_in_us_dollars(code: str) -> None:
    assert regions.region_of(code).currencies == ("USD",)


def test_a_supplier_label_keeps_its_spelling_and_still_has_a_name() -> None:
    assert regions.spellings("GB") == ["GB", "UK"]
    assert regions.name_of("UK") == "United Kingdom"
    assert regions.name_of("XX") == ""
