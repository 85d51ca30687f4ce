"""Specimens for the gallery page: invented data, drawn with the same parts as real pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils import timezone

from procurement.web.lists import BoundFilter, Chip, Link, Listing
from procurement.web.parts import TONES, Level, Series, Step, StripCell, TimelineEntry


class SpecimenForm(forms.Form):
    """Every kind of field, two of them wrong."""

    product = forms.ChoiceField(choices=[("us-50", "US 50 USD"), ("tr-250", "TR 250 TRY")])
    quantity = forms.IntegerField(
        help_text="At most 200 codes for each order.",
        max_value=200,
        error_messages={"max_value": "The daily limit leaves room for 200 codes."},
        widget=forms.TextInput(attrs={"class": "w-6", "inputmode": "numeric"}),
    )
    reason = forms.CharField(widget=forms.Textarea, error_messages={"required": "Write why these codes are needed."})
    note = forms.CharField(required=False)
    evidence = forms.FileField(required=False, help_text="PNG or PDF, up to 5 MB.")
    priority = forms.ChoiceField(choices=[("normal", "Normal"), ("urgent", "Urgent")], widget=forms.RadioSelect)
    seen = forms.BooleanField(required=False, label="I have read the warnings")


def context(request: HttpRequest) -> dict[str, Any]:
    """Everything templates/gallery.html shows."""
    now = timezone.now()
    return {
        "tones": [(tone, word) for tone, word in zip(TONES, WORDS, strict=True)],
        "notices": NOTICES,
        "orders": ORDERS,
        "listing": _listing(),
        "cells": CELLS,
        "steps": STEPS,
        "entries": _entries(),
        "form": SpecimenForm(data={"product": "us-50", "quantity": "2500", "priority": "normal"}),
        "now": now,
        "soon": now + timedelta(hours=31),
        "later": now + timedelta(days=5, hours=3, minutes=20),
        "passed": now - timedelta(hours=2, minutes=5),
        "days": [f"{day} Nov" for day in range(8, 22)],
        "series": SERIES,
        "points": [(f"{day} Nov", 46.2 + (day % 5) * 0.37) for day in range(8, 22)],
        "balance": [(now - timedelta(hours=hours), 5_000 - 37 * (48 - hours)) for hours in range(48, -1, -4)],
        "readings": [
            (now - timedelta(minutes=40), 500_000, "before: 5,000.00 USD"),
            (now - timedelta(minutes=36), 495_129, "4,951.29 USD"),
            (now - timedelta(minutes=20), 495_129, "4,951.29 USD"),
        ],
        "levels": [Level("5,000.00, if not taken", 500_000), Level("4,951.29, if taken", 495_129, "attention")],
        "sent": (now - timedelta(minutes=38), "sent"),
        "spark": [41, 52, 48, 55, 56, 40, 38, 61, 44, 43, 60, 51, 57, 49],
    }


WORDS = ("Draft", "Waiting for supplier", "Delivered", "Needs approval", "Failed", "Unconfirmed")
NOTICES = (
    ("info", "3 new orders arrived while you were reading."),
    ("good", "ORD-1042 was approved. It is sent to the supplier in 10 s."),
    ("attention", "The price rose from 46.20 to 47.68 USD since you opened this. Nothing was approved."),
    ("bad", "The supplier refused the key. No order was placed. An administrator can rotate it."),
    ("hold", "We do not know whether ORD-1040 was placed. Do not place it again. We check every 30 s."),
)
ORDERS = (
    ("ORD-1042", "US 50 × 200", 924000, "USD", "Delivered", "good", "200 of 200", "Ana Ruiz"),
    ("ORD-1041", "TR 250 × 40 + 2 lines", 378050, "USD", "Waiting for supplier", "progress", "0 of 60", "Ben Oduya"),
    ("ORD-1040", "GB 35 × 60", 197400, "GBP", "Unconfirmed", "hold", "", "Ana Ruiz"),
    ("ORD-1039", "JP 10,000 × 12", 118000, "JPY", "Needs approval", "attention", "", "Chen Wei"),
    ("ORD-1038", "DE 20 × 80", 150400, "EUR", "Failed", "bad", "0 of 80", "Ben Oduya"),
    ("ORD-1037", "US 25 × 150", 352500, "USD", "Draft", "neutral", "", "Dana Novak"),
)
CELLS = (
    StripCell("Sold", "TR Türkiye · 250 TRY", "SKU PSN-TR-250", "storefront label, 21 Nov 13:58"),
    StripCell("Mapped", "TR Türkiye · 250 TRY", "version 3 by Ana", "frozen on the order", "same"),
    StripCell(
        "Delivered", "US United States · 10 USD", "line 2 of 3", "supplier record, 21 Nov 14:05", "differs", True
    ),
    StripCell("Account", "TR Türkiye", "", "the customer says", "differs"),
)
STEPS = (
    Step("Drafted", "done", "21 Nov 13:40"),
    Step("Approved", "done", "Ben, 13:52"),
    Step("Sent", "current", "attempt 1"),
    Step("Delivered", "waiting"),
)
SERIES = (
    Series("Supplier A", [120, 182, 110, 92, 128, 156, 126, 124, 172, 123, 128, 167, 147, 121]),
    Series("Supplier B", [88, 100, 54, 96, 57, 117, 60, 62, 82, 60, 80, 94, 86, 108]),
    Series("Supplier C", [26, 50, 22, 60, 33, 42, 37, 34, 36, 42, 42, 44, 31, 38]),
)


def _entries() -> list[TimelineEntry]:
    at = timezone.now().replace(hour=14, minute=5, second=0)
    evidence = 'POST /v1/orders 202\n{"id": "sup-88213", "status": "accepted"}'
    return [
        TimelineEntry(
            at, "200 of 200 codes received and checked.", source="Supplier API", evidence=evidence, tone="good"
        ),
        TimelineEntry(at - timedelta(minutes=4), "No webhook after 4 min; polling found it delivered.", source="Poll"),
        TimelineEntry(
            at - timedelta(minutes=13), "approved 9,240.00 USD.", "Ben Oduya", "User", "Weekend stock", tone="progress"
        ),
        TimelineEntry(at - timedelta(days=1), "made the draft.", "Ana Ruiz", "User"),
    ]


def _listing() -> Listing[Any]:
    """A toolbar's worth of state without a database."""
    filters = (
        BoundFilter("q", "Search", "text", "", (), "", "Order id or product"),
        BoundFilter("region", "Region", "choice", "US", (("US", "US United States"), ("TR", "TR Türkiye")), "All", ""),
        BoundFilter("from", "From", "date", "", (), "", ""),
    )
    tabs = (Link("All", "?view=all"), Link("Needs you", "?view=needs", True, 3), Link("Open", "?view=open", False, 12))
    numbers = (
        Link("1", "?page=1"),
        Link("2", "?page=2", True),
        Link("3", "?page=3"),
        Link("6", ""),
        Link("7", "?page=7"),
    )
    return Listing(
        rows=[],
        total=312,
        page=2,
        pages=7,
        start=51,
        end=100,
        sort="-placed",
        view="needs",
        noun="order",
        nouns="orders",
        filters=filters,
        tabs=tabs,
        chips=(Chip("Region", "US United States", "?"),),
        kept=(),
        page_links=numbers,
        sizes=(Link("25", "?size=25"), Link("50", "?size=50", True), Link("100", "?size=100")),
        previous_url="?page=1",
        next_url="?page=3",
        clear_url="?",
        exports=[Link("CSV", "?format=csv"), Link("Excel", "?format=xlsx")],
    )
