"""A list's whole state is in its URL; exports are safe to open."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from procurement.staff.models import User
from procurement.web.exports import safe_cell
from procurement.web.lists import Column, Filter, Listing, ListSpec, Tab, build_listing, list_page

PEOPLE: ListSpec[User] = ListSpec(
    noun="person",
    nouns="people",
    sorts={"name": ["username"], "shown": ["display_name"]},
    default_sort="name",
    filters=[
        Filter("q", "Search", lambda rows, text: rows.filter(username__icontains=text), kind="text"),
        Filter(
            "letter", "Letter", lambda rows, v: rows.filter(username__startswith=v), choices=[("a", "A"), ("b", "B")]
        ),
    ],
    tabs=[
        Tab("all", "All", lambda rows: rows),
        Tab("off", "Inactive", lambda rows: rows.filter(is_active=False), counted=True),
    ],
    columns=[Column("Name", lambda user: user.username), Column("Shown as", lambda user: user.display_name)],
    size=25,
)


@pytest.fixture
def people(db: None) -> list[User]:
    made = [User(username=f"{letter}{n:02}", display_name=f"={n}", password="!") for letter in "ab" for n in range(30)]
    made[0].is_active = False
    return User.objects.bulk_create(made)


def listing(query: str) -> Listing[User]:
    return build_listing(RequestFactory().get(f"/people/{query}"), PEOPLE, User.objects.all())


def names(found: Listing[User]) -> list[str]:
    return [user.username for user in found.rows]


def test_a_list_without_a_query_is_the_first_page_in_default_order(people: list[User]) -> None:
    found = listing("")

    assert names(found)[:2] == ["a00", "a01"]
    assert found.count_words == "60 people, 1–25"
    assert not found.is_filtered


def test_pages_are_disjoint_and_complete(people: list[User]) -> None:
    seen = [name for page in (1, 2, 3) for name in names(listing(f"?page={page}"))]

    assert sorted(seen) == sorted(user.username for user in people)


def test_sorting_backwards_goes_to_page_one_and_keeps_filters(people: list[User]) -> None:
    found = listing("?letter=b&sort=-name&page=2")

    assert names(found)[0] == "b04"
    assert all("letter=b" in link.url and "page" not in link.url for link in found.sizes)
    assert "sort=-name" in found.previous_url


def test_a_filter_becomes_a_chip_that_removes_only_itself(people: list[User]) -> None:
    found = listing("?letter=b&q=1&sort=-name")

    assert [(chip.label, chip.value) for chip in found.chips] == [("Search", "1"), ("Letter", "B")]
    assert found.chips[0].remove_url == "?letter=b&sort=-name"
    assert found.clear_url == "?sort=-name"


def test_a_tab_narrows_and_counts_within_the_filters(people: list[User]) -> None:
    found = listing("?view=off")

    assert names(found) == ["a00"]
    assert [tab.count for tab in found.tabs] == [None, 1]
    assert listing("?view=off&letter=b").tabs[1].count == 0
    assert found.count_words == "1 person"


@pytest.mark.parametrize(
    "query", ["?page=999", "?page=x", "?sort=password", "?view=secret", "?size=5000", "?letter=zz"]
)
def test_rubbish_in_the_url_falls_back(people: list[User], query: str) -> None:
    found = listing(query)

    assert 0 < len(found.rows) <= 25
    assert not found.is_filtered


def test_an_empty_filtered_list_says_that_filters_hide_everything(people: list[User]) -> None:
    found = listing("?q=nobody")

    assert found.count_words == "No people"
    assert found.no_match == "No people match this filter."


def test_far_pages_are_reached_through_a_gap(db: None) -> None:
    User.objects.bulk_create(User(username=f"u{n:04}", display_name="x") for n in range(300))

    assert [link.label if link.url else "…" for link in listing("?page=6").page_links] == (
        ["1", "2", "…", "5", "6", "7", "…", "11", "12"]
    )


def export(query: str, user: User) -> tuple[HttpResponse, list[list[str]]]:
    request: Any = RequestFactory().get(f"/people/{query}")
    request.user = user
    response: Any = list_page(
        request, PEOPLE, User.objects.all(), "unused.html", on_export=lambda *facts: noted.append(facts)
    )
    return response, list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode())))


noted: list[tuple[str, int]] = []


def test_an_export_holds_all_filtered_rows_and_says_what_it_is(people: list[User]) -> None:
    noted.clear()
    response, rows = export("?letter=b&format=csv&page=2", people[0])

    assert len(rows) == 2 + 30
    assert "filters: All; Letter: B; times: UTC; made by =0" in rows[0][0]
    assert rows[1] == ["Name", "Shown as"]
    assert rows[2] == ["b00", "'=0"]
    assert "attachment" in response["Content-Disposition"]
    assert noted == [("All; Letter: B", 30)]


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-cmd", "@sum", "\tx", "\rx", "=HYPERLINK(1)", "-1+2"])
def test_no_cell_can_become_a_formula(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (12, 12),
        (True, "yes"),
        (Decimal("-12.50"), "-12.50"),
        ("−12.50", "-12.50"),
        ("ORD-1", "ORD-1"),
        (datetime(2026, 11, 21, 14, 5, tzinfo=UTC), "2026-11-21T14:05:00Z"),
    ],
)
def test_plain_values_stay_plain(value: object, cell: object) -> None:
    assert safe_cell(value) == cell
