"""A signed day on paper: what two people signed as a PDF, the same rows as a table, and the very bytes under the hash (R93).

All of it is made of the frozen content alone, so the same signature gives the same file whenever it is asked for.
"""

from __future__ import annotations

import io
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pydyf

from ledger.money import Money, decimal_amount
from procurement.reconciliation.models import SignOff
from procurement.reconciliation.states import CAUSES, DAY, KINDS, MATCHED, MATCHED_WORDS

# A4 in points. Every viewer has the fonts of the standard; in Courier each character is 0.6 of its size wide.
WIDTH, HEIGHT, MARGIN = 595, 842, 50
SIZE, LEADING = 9, 12
COLUMNS = int((WIDTH - 2 * MARGIN) / (SIZE * 0.6))
LINES = (HEIGHT - 2 * MARGIN - 40) // LEADING
EQUATION = (("Opening", "opening"), ("+ Deposits", "deposits"), ("- Orders", "orders"), ("+ Credits", "credits"))
Text = tuple[str, bool]


@dataclass(frozen=True)
class ReportRow:
    """One line of the report as a table: a term of the equation, or a difference."""

    part: str
    name: str
    words: str
    amount: Decimal | None
    currency: str
    explained_by: str = ""
    accepted_by: str = ""


def difference_of(content: dict[str, Any]) -> int | None:
    """Theirs less ours as it was signed, in minor units; None if theirs was not known."""
    return None if content["theirs"] is None else content["theirs"] - content["ours"]


def terms(content: dict[str, Any]) -> list[tuple[str, int | None]]:
    """The day's equation, in minor units of its currency."""
    found = [(words, content[name]) for words, name in EQUATION]
    return [
        *found,
        ("= Ours", content["ours"]),
        ("Supplier says", content["theirs"]),
        ("Difference", difference_of(content)),
    ]


def report_rows(sign_off: SignOff) -> Iterator[ReportRow]:
    content = sign_off.content
    currency = content["currency"]
    for words, minor in terms(content):
        amount = None if minor is None else decimal_amount(minor, currency)
        yield ReportRow("equation", words.strip("+-= "), "", amount, currency)
    matched = content["matched"]
    words = f"{matched['orders']} orders matched, SHA-256 {matched['sha256']}"
    yield ReportRow("matched", "Orders matched", words, decimal_amount(matched["amount"], currency), currency)
    for one in content["differences"]:
        words = f"{one['sentence']} {why(one)}"
        amount, people = decimal_amount(one["amount"], currency), (one["explained_by"], one["accepted_by"])
        yield ReportRow(KINDS.get(one["kind"], one["kind"]), one["reference"], words, amount, currency, *people)


def why(one: dict[str, Any]) -> str:
    """The cause and the note of a frozen difference."""
    cause = MATCHED_WORDS if one["cause"] == MATCHED else CAUSES.get(one["cause"], one["cause"])
    return f"{cause}: “{one['note']}”"


def report_pdf(sign_off: SignOff, earlier: Sequence[SignOff], *, intact: bool) -> bytes:
    """The signed report; `earlier` are signatures of the same day that were reopened."""
    day = date.fromisoformat(sign_off.content["day"])
    title = f"Reconciliation of {day.day} {day:%b %Y}"
    texts = list(lines_of(sign_off, earlier, intact=intact))
    pages = [texts[start : start + LINES] for start in range(0, len(texts), LINES)]
    pdf = pydyf.PDF()
    pdf.info["Title"] = pydyf.String(title)
    fonts = [font(pdf, name) for name in ("Courier", "Courier-Bold")]
    for number, page in enumerate(pages, start=1):
        foot = f"{sign_off.content_hash[:16]}   page {number} of {len(pages)}"
        add_page(pdf, fonts, title, page, foot)
    file = io.BytesIO()
    pdf.write(file)
    return file.getvalue()


def lines_of(sign_off: SignOff, earlier: Sequence[SignOff], *, intact: bool) -> Iterator[Text]:
    """The report line by line, each with whether it is bold."""
    content = sign_off.content
    currency = content["currency"]
    if not intact:
        yield from wrapped(
            "THESE FIGURES ARE NOT THOSE THAT WERE SIGNED: their hash differs from the one below.", bold=True
        )
        yield "", False
    yield f"{content['account']}, {currency}. Cut-off: midnight UTC. {DAY[content['state']].label}.", False
    if sign_off.state == "reopened":
        yield from wrapped(f"Open again since it was signed: {sign_off.ended_why} This is what was signed.")
    yield "", False
    for words, minor in terms(content):
        yield f"{words:<20}{amount_text(minor, currency):>24}", words in ("= Ours", "Difference")
    matched, way = content["matched"], content["in_flight"]
    yield "", False
    yield (
        f"{matched['orders']} orders matched, {amount_text(matched['amount'], currency)}; {way['orders']} on their way.",
        False,
    )
    yield "", False
    yield f"Differences: {len(content['differences'])}", True
    for one in content["differences"]:
        yield "", False
        yield f"{one['reference'][:60]:<61}{amount_text(one['amount'], currency):>{COLUMNS - 61}}", True
        yield from wrapped(one["sentence"])
        yield from wrapped(why(one))
        accepted = f", accepted by {one['accepted_by']}" if one["accepted_by"] else ""
        yield from wrapped(f"Explained by {one['explained_by']}{accepted}.")
    if content["documents"]:
        yield "", False
        yield f"Documents: {len(content['documents'])}", True
        for paper in content["documents"]:
            yield from wrapped(paper["name"])
            yield f"SHA-256 {paper['sha256']}", False
    yield "", False
    yield "Signatures", True
    yield f"Prepared  {stamp(sign_off.prepared_at)}  {sign_off.prepared_by}", False
    yield f"Signed    {stamp(sign_off.reviewed_at)}  {sign_off.reviewed_by}", False
    for one_before in earlier:
        yield f"Before    {stamp(one_before.reviewed_at)}  {one_before.reviewed_by}, reopened", False
    yield "", False
    yield "SHA-256 of what was signed", True
    yield sign_off.content_hash, False
    yield "SHA-256 over the matched orders", True
    yield matched["sha256"], False
    yield "The ledger's checkpoint at the signature", True
    yield from wrapped(sign_off.checkpoint or "Nothing was ever booked.")
    yield "", False
    yield from wrapped("The first hash is that of the day's JSON export, byte for byte. This report holds no code.")


def amount_text(minor: int | None, currency: str) -> str:
    return "not known" if minor is None else str(Money(minor, currency))


def stamp(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "not yet"


def wrapped(text: str, *, bold: bool = False) -> Iterator[Text]:
    for line in textwrap.wrap(text, COLUMNS, break_long_words=True):
        yield line, bold


def font(pdf: Any, name: str) -> Any:
    found = pydyf.Dictionary(
        {"Type": "/Font", "Subtype": "/Type1", "BaseFont": f"/{name}", "Encoding": "/WinAnsiEncoding"}
    )
    pdf.add_object(found)
    return found.reference


def add_page(pdf: Any, fonts: Sequence[Any], title: str, lines: Sequence[Text], foot: str) -> None:
    stream = pydyf.Stream(compress=True)
    put(stream, "F2", 13, MARGIN, HEIGHT - MARGIN - 4, title)
    for number, (text, bold) in enumerate(lines):
        put(stream, "F2" if bold else "F1", SIZE, MARGIN, HEIGHT - MARGIN - 28 - number * LEADING, text)
    put(stream, "F1", 7, MARGIN, MARGIN - 20, foot)
    pdf.add_object(stream)
    names = pydyf.Dictionary({"F1": fonts[0], "F2": fonts[1]})
    pdf.add_page(
        pydyf.Dictionary(
            {
                "Type": "/Page",
                "Parent": pdf.pages.reference,
                "MediaBox": pydyf.Array([0, 0, WIDTH, HEIGHT]),
                "Resources": pydyf.Dictionary({"Font": names}),
                "Contents": stream.reference,
            }
        )
    )


def put(stream: Any, name: str, size: int, x: int, y: int, text: str) -> None:
    stream.begin_text()
    stream.set_font_size(name, size)
    stream.set_text_matrix(1, 0, 0, 1, x, y)
    stream.show_text_string(plain(text))
    stream.end_text()


def plain(text: str) -> bytes:
    """What the standard fonts can show: letters they lack lose their marks, and what is left of others is a question mark."""
    kept = []
    for letter in text.replace("−", "-").replace("\u00a0", " "):
        try:
            kept.append(letter.encode("cp1252"))
        except UnicodeEncodeError:
            bare = "".join(part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part))
            kept.append(bare.encode("cp1252", "replace"))
    return b"".join(kept)
