"""Reading a SKU list: whole files, single lines, and each line of the list that really arrives."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procurement.catalog import skulist
from procurement.catalog.skulist import judging
from procurement.catalog.skulist.amounts import read_face, title_contradicts
from procurement.catalog.skulist.judging import Line
from procurement.catalog.skulist.reading import MAX_LINES, read_file
from procurement.catalog.skulist.rules import read_line
from procurement.errors import Refused

SAMPLE = Path(skulist.__file__).parent.parent / "sample"
HEADER = "sku,title,region,currency,denomination,active\n"
GOOD = "PSN-US-50,PlayStation Store Gift Card $50 (United States),US,USD,50,yes\n"


def judged(content: bytes) -> list[Line]:
    file = read_file(content)
    lines = judging.lines_of(read_line(file.header, line) for line in file.lines)
    return judging.judge(lines, {}, frozenset())


def one(cells: str) -> Line:
    return judged((HEADER + cells + "\n").encode())[0]


MESSY = {
    2: ("add", []),
    3: ("refuse", ["Duplicate of line 2."]),
    4: ("refuse", ["EU is no region: euro cards work in one country only, such as DE, ES or FR."]),
    5: ("refuse", ["The region is empty, and a region is never guessed from the title or the currency."]),
    6: (
        "refuse",
        [
            "Cards for United Arab Emirates are in USD, not in AED: "
            "cards for the Gulf and Lebanon are sold in US dollars."
        ],
    ),
    7: (
        "add",
        [
            "Spaces around the title were left out.",
            "The region tr was read as TR.",
            "The currency try was read as TRY.",
        ],
    ),
    8: ("refuse", ["The title says €50, the denomination is 25.00 EUR."]),
    9: ("add", ["The region UK was read as GB."]),
    10: ("refuse", ["The title begins with “=”: a formula is never imported."]),
    11: ("refuse", ["The denomination “ten” is not a number of USD."]),
    12: ("refuse", ["The denomination is zero."]),
    13: ("refuse", ["The denomination “-5” is negative."]),
    14: ("refuse", ["The SKU is empty."]),
    15: ("refuse", ["The denomination “1e2” is written with an exponent; write all its digits."]),
    16: ("refuse", ["This is a subscription, not a wallet card of a fixed amount."]),
    17: ("add", ["Japan is not among the regions sold so far.", "1,100 was read as 1100."]),
    18: ("refuse", ["The column active says “maybe”; it must say yes or no."]),
    19: ("refuse", ["The SKU has 300 characters; at most 64 are kept."]),
    20: ("refuse", ["The line has 5 cells where the header has 6: active is missing."]),
}


@pytest.mark.requirement("R2", "R6")
@pytest.mark.parametrize("number", MESSY)
def test_each_line_of_the_list_that_really_arrives(number: int) -> None:
    lines = {line["line"]: line for line in judged((SAMPLE / "storefront_skus_messy.csv").read_bytes())}
    assert lines.keys() == MESSY.keys()
    line, (outcome, words) = lines[number], MESSY[number]
    assert (line["outcome"], line["reasons"] if outcome == "refuse" else line["notes"]) == (outcome, words)
    assert bool(line["values"]) == (outcome == "add")


def test_a_corrected_denomination_is_named_even_when_the_line_is_refused() -> None:
    lines = judged((SAMPLE / "storefront_skus_messy.csv").read_bytes())
    brazil = next(line for line in lines if line["line"] == 18)
    assert brazil["notes"] == ["60,00 was read as 60.00."]


def test_how_the_messy_file_was_read_is_said() -> None:
    assert read_file((SAMPLE / "storefront_skus_messy.csv").read_bytes()).notes == [
        "Columns are separated by semicolons.",
        "A byte-order mark at the beginning was left out.",
    ]


@pytest.mark.requirement("R8")
def test_the_storefronts_own_list_is_added_whole() -> None:
    lines = judged((SAMPLE / "storefront_skus.csv").read_bytes())
    assert len(lines) >= 190
    assert {line["outcome"] for line in lines} == {"add"}
    assert not [line for line in lines if line["notes"]]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file is empty."),
        (b"\xef\xbb\xbf\r\n", "The file is empty."),
        (b"%PDF-1.7 ...", "The file is a PDF"),
        (b"PK\x03\x04 xlsx", "The file is a spreadsheet or an archive"),
        (HEADER.encode("utf-16"), "The file is UTF-16 text"),
        (b"sku\x00title", "The file is not text."),
        (HEADER.encode() + "PSN-TR-250,Türkiye,TR,TRY,250,yes".encode("latin-1"), "line 2 holds a byte"),
        (GOOD.encode(), "must name the columns"),
        (b"sku,title,region\nA,B,US\n", "it lacks currency, denomination, active."),
        (b"sku,sku,title,region,currency,denomination,active\nA,A,B,US,USD,5,yes\n", "names the column sku twice"),
        (HEADER.encode(), "has a header and no lines"),
        (HEADER.encode() + b'A,"B,US,USD,5,yes\n', "quotation marks do not match"),
        (HEADER.encode() + b"x\n" * (MAX_LINES + 1), "more than 5,000 lines"),
        (b"x" * (2 * 1024 * 1024 + 1), "larger than 2 MB"),
    ],
)
def test_a_file_that_is_no_list_gets_one_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(Refused) as refusal:
        read_file(content)
    assert sentence in refusal.value.sentence
    assert "Nothing was imported." in refusal.value.sentence


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_any_usual_separator_and_line_end_is_read(mark: str, end: str) -> None:
    content = (HEADER + GOOD).replace(",", mark).replace("\n", end).encode()
    assert [line["outcome"] for line in judged(content)] == ["add"]


def test_columns_may_come_in_any_order_and_unknown_ones_are_named() -> None:
    content = b"Active,SKU,price,Denomination,Currency,Region,Title\nyes,A-1,9,50,USD,US,Card $50\n"
    assert read_file(content).notes[-1] == "The column price is not used."
    assert judged(content)[0]["values"]["face_minor"] == 5000


def test_lines_are_numbered_as_an_editor_numbers_them() -> None:
    content = (HEADER + '\nA-1,"Card\n$50",US,USD,50,yes\n\nA-2,Card $50,US,USD,50,yes\n').encode()
    assert [line["line"] for line in judged(content)] == [3, 6]


def test_of_equal_lines_the_first_stands_and_of_contradicting_ones_none_does() -> None:
    equal = judged((HEADER + GOOD + GOOD).encode())
    assert [line["outcome"] for line in equal] == ["add", "refuse"]
    other = GOOD.replace("$50", "$20").replace(",50,", ",20,").replace("PSN-US-50", "psn-us-50")
    contradicting = judged((HEADER + GOOD + other).encode())
    assert [line["outcome"] for line in contradicting] == ["refuse", "refuse"]
    assert contradicting[0]["reasons"] == ["Duplicate of line 3 with other values: neither is imported."]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("A-1,Card $50,US,,50,yes", "The currency is empty."),
        ("A-1,,US,USD,50,yes", "The title is empty."),
        ("A-1,Card $50,US,USD,,yes", "The denomination is empty."),
        ("A-1,Card $50,US,USD,50,", "The column active says “”; it must say yes or no."),
        ("A 1,Card $50,US,USD,50,yes", "The SKU may hold"),
        ("@A-1,Card $50,US,USD,50,yes", "The sku begins with “@”"),
        ("A-1,Card $50,US,USD,50,yes,more", "The line has 7 cells"),
        ("A-1,Card €50,US,USD,50,yes", "The title says €50, the denomination is 50.00 USD."),
        ("A-1,Card $50 (Germany),US,USD,50,yes", "The title says Germany, the region is US."),
        ("A-1,Card $50 GLOBAL,US,USD,50,yes", "The title says GLOBAL, the region is US."),
        ("A-1,Card 20,US,USD,50,yes", "The title says 20, the denomination is 50.00 USD."),
        ("A-1,Card \u202e$50,US,USD,50,yes", "a character that cannot be seen"),
        ("A-1,Card $50,US,USD,50.001,yes", "is not a number of USD"),
        ("A-1,Card $9000000,US,USD,9000000,yes", "larger than any card"),
    ],
)
def test_a_doubtful_line_is_refused(cells: str, reason: str) -> None:
    line = one(cells)
    assert line["outcome"] == "refuse"
    assert reason in " ".join(line["reasons"])
    assert line["values"] == {}


def test_every_reason_against_a_line_is_given_at_once() -> None:
    assert len(one("A 1,,EU,,zero,perhaps")["reasons"]) == 6


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("50", "USD", 5000),
        ("60,00", "BRL", 6000),
        ("250.00", "TRY", 25000),
        ("1,100", "JPY", 1100),
        ("1 000", "TRY", 100000),
    ],
)
def test_denominations_as_people_write_them(text: str, currency: str, minor: int) -> None:
    assert read_face(text, currency)[0] == minor


@pytest.mark.parametrize(
    "text", ["", "ten", "0", "-5", "1e2", "60.000", "1.100,50", "+5", "5%", "$5", "５０", "1,10,0", "nan"]
)
def test_doubtful_denominations_are_no_numbers(text: str) -> None:
    with pytest.raises(ValueError, match=r"denomination"):
        read_face(text, "USD")


@given(st.integers(min_value=1, max_value=1_000_000))
def test_any_whole_denomination_is_read_back(major: int) -> None:
    assert read_face(f"{major}", "USD") == (major * 100, [])
    assert read_face(f"{major:,}", "USD")[0] == major * 100


@given(st.binary(max_size=400))
def test_any_bytes_are_a_list_or_one_sentence(content: bytes) -> None:
    try:
        file = read_file(content)
    except Refused:
        return
    assert file.lines


@given(st.lists(st.text(max_size=20), min_size=6, max_size=6))
def test_any_cells_are_added_or_refused_with_a_reason(cells: list[str]) -> None:
    reading = read_line(list(skulist.reading.COLUMNS), skulist.reading.RawLine(2, cells))
    assert bool(reading.values) != bool(reading.reasons)


@pytest.mark.parametrize(
    ("title", "contradicts"),
    [
        ("PlayStation Store Gift Card C$15 (Canada)", False),
        ("PlayStation Store Gift Card $15 (Canada)", False),
        ("PlayStation 5 Gift Card (Canada)", False),
        ("Gift card, any amount", False),
        ("PlayStation Store Gift Card 15 CAD", False),
        ("PlayStation Store Gift Card R$15", True),
        ("PlayStation Store Gift Card C$20", True),
        ("PlayStation Store Gift Card AED 15", True),
    ],
)
def test_a_title_contradicts_only_by_what_it_says(title: str, contradicts: bool) -> None:
    assert bool(title_contradicts(title, "CAD", 1500)) is contradicts
