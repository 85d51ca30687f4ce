"""A list's whole state is in its URL; exports are safe to open."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import pytest
from django.db.models import Q
from django.http import HttpResponse
from django.test import RequestFactory

from procurement.staff.models import User
from procurement.web.exports import safe_cell, table_response
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
        Tab("all", "All"),
        Tab("off", "Inactive", Q(is_active=False), counted=True),
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


def workbook(response: Any) -> tuple[list[list[tuple[str, str]]], str]:
    """The cells of an .xlsx as (type, text), and its sheet as XML."""
    book = zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content)))
    sheet = book.read("xl/worksheets/sheet1.xml").decode()
    place = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    rows = ElementTree.fromstring(sheet).iter(f"{place}row")
    return [[(cell.get("t", "n"), "".join(cell.itertext())) for cell in row.iter(f"{place}c")] for row in rows], sheet


def test_an_excel_export_keeps_types_and_runs_nothing(people: list[User]) -> None:
    columns: list[Column[User]] = [
        Column("text", lambda user: user.display_name),
        Column("amount", lambda user: Decimal("-1234.50")),
        Column("yen", lambda user: Decimal("4500")),
        Column("count", lambda user: 3),
        Column("long", lambda user: 10**17 + 1),
        Column("when", lambda user: datetime(2026, 11, 21, 12, 0, tzinfo=UTC)),
        Column("yes", lambda user: True),
        Column("nothing", lambda user: None),
    ]
    request: Any = RequestFactory().get("/people/?format=xlsx")
    request.user = people[0]
    response: Any = table_response(request, "the people", columns, [User(display_name="=HYPERLINK(1)")], "All")
    assert response["Content-Disposition"].endswith('.xlsx"')
    (about, header, row), sheet = workbook(response)
    assert "filters: All; times: UTC" in about[0][1]
    assert [text for _, text in header] == ["text", "amount", "yen", "count", "long", "when", "yes", "nothing"]
    assert row == [
        ("inlineStr", "=HYPERLINK(1)"),
        ("n", "-1234.50"),
        ("n", "4500"),
        ("n", "3"),
        ("inlineStr", "100000000000000001"),
        ("n", "46347.5"),
        ("inlineStr", "yes"),
    ]
    assert "<f>" not in sheet


def test_a_list_exports_exactly_its_filtered_rows_to_excel(people: list[User]) -> None:
    noted.clear()
    request: Any = RequestFactory().get("/people/?letter=b&format=xlsx&page=2")
    request.user = people[0]
    response = list_page(
        request, PEOPLE, User.objects.all(), "unused.html", on_export=lambda *facts: noted.append(facts)
    )
    rows, _ = workbook(response)
    assert len(rows) == 2 + 30
    assert noted == [("All; Letter: B", 30)]


# Behind blanks and invisible characters, and in the full-width form that spreadsheets take as well.
HIDDEN_FORMULAS = [
    "  =1+1",
    "\n=1",
    "\x00=1",
    "\ufeff=1",
    "\u200b@sum",
    "\uff1d1+1",
    " \uff0bcmd",
    "\uff0d1",
    "\uff20sum",
]


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd", "-cmd", "@sum", "\tx", "\rx", "=HYPERLINK(1)", "-1+2", *HIDDEN_FORMULAS]
)
def test_no_cell_can_become_a_formula(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (12, 12),
        (True, "yes"),
        (Decimal("-12.50"), Decimal("-12.50")),
        ("−12.50", "'-12.50"),
        ("ORD-1", "ORD-1"),
        (datetime(2026, 11, 21, 14, 5, tzinfo=UTC), "2026-11-21T14:05:00Z"),
    ],
)
def test_plain_values_stay_plain(value: object, cell: object) -> None:
    assert safe_cell(value) == cell
