"""docs/protection.md says of data, keys, logs, files, limits and ways in what the program does."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.hashers import get_hasher

from procurement.bookkeeping import papers
from procurement.catalog.forms import SkuListForm
from procurement.catalog.services import validating
from procurement.catalog.skulist import reading
from procurement.onboarding.forms import ValidatedForm
from procurement.orders import policies
from procurement.orders.forms import BringInForm
from procurement.orders.services import handing_over
from procurement.people.models import LIFE
from procurement.reconciliation.forms import StatementForm
from procurement.staff import passwords, stepping_up, tries
from procurement.suppliers import budget
from procurement.suppliers.services import PREVIOUS_SECRET_LIVES
from procurement.suppliers.tasks import REFUSED_KEPT
from procurement.terms import asking
from procurement.vault import passphrase
from procurement.vault.columns import SEALED_COLUMNS
from procurement.vault.purposes import Purpose
from tests.test_url_walk import OPEN_TO_ALL

PAGE = (Path(settings.ROOT) / "docs" / "protection.md").read_text(encoding="utf-8")
MEGABYTE = 1024 * 1024


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def row(heading: str, begins: str) -> list[str]:
    """The cells of the one row of a section's table that begins so."""
    [line] = [line for line in section(heading).splitlines() if line.startswith(f"| {begins}")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def numbers(text: str) -> list[int]:
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", text)]


def endings(text: str) -> set[str]:
    return set(re.findall(r"`\.(\w+)`", text))


def taken_by(form: type[forms.Form]) -> set[str]:
    field: Any = form.base_fields["file"]
    return {ending for check in field.validators for ending in getattr(check, "allowed_extensions", [])}


def test_every_key_is_listed_with_what_it_is_for() -> None:
    keys = section("Keys")

    assert set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.+?) \|", keys, re.M)))) == {*Purpose}
    unused = {*Purpose} - {column.purpose for column in SEALED_COLUMNS} - {Purpose.BIDX, Purpose.AUDIT_MAC}
    assert {f"`{purpose}`" for purpose in unused} == {"`wire_log`", "`evidence`"}
    hasher: Any = get_hasher()
    of_files = (2**passphrase.LOG_N, passphrase.R, passphrase.P)
    told = [tuple(numbers(text)) for text in re.findall(r"\(N = ([^)]+)\)", keys)]
    assert told == [(hasher.work_factor, hasher.block_size, hasher.parallelism), of_files]


def test_data_is_listed_with_its_level_and_how_long_it_is_kept() -> None:
    first, second, third = (row("Data", begins) for begins in ("1, ", "2, ", "3, "))
    sealed = {
        Purpose.CODE: "codes",
        Purpose.SUPPLIER_API: "API keys",
        Purpose.WEBHOOK: "webhook secrets",
        Purpose.TOTP: "seeds of second factors",
    }

    assert {column.purpose for column in SEALED_COLUMNS} == set(sealed)
    assert all(words in first[1] for words in sealed.values())
    assert numbers(first[5]) == [PREVIOUS_SECRET_LIVES.days]
    assert numbers(second[5]) == [LIFE // timedelta(hours=1), settings.SESSION_LONGEST // 3600]
    assert numbers(third[5]) == [REFUSED_KEPT.days]


def test_nothing_is_logged_but_to_standard_error() -> None:
    log: Any = settings.LOGGING

    assert list(log["handlers"].values()) == [
        {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id"]}
    ]
    assert not settings.ADMINS
    assert row("Logs", "process log")[1] == "standard error of each process"


def test_files_end_and_are_as_large_as_listed() -> None:
    lists, codes, products = (row("Files people upload", name) for name in ("SKU list", "codes", "file of"))
    documents, prices = (row("Files people upload", name) for name in ("documents", "price"))

    assert endings(lists[1]) == taken_by(SkuListForm) == taken_by(StatementForm)
    assert numbers(lists[2]) == [reading.MAX_BYTES // MEGABYTE, reading.MAX_LINES]
    assert endings(codes[1]) == taken_by(BringInForm)
    assert numbers(codes[2]) == [settings.LARGEST_REQUEST // MEGABYTE]
    assert (endings(products[1]), numbers(products[2])) == (taken_by(ValidatedForm), [validating.LARGEST // MEGABYTE])
    assert endings(documents[1]) == {ending.lstrip(".") for ending in papers.ENDINGS}
    assert numbers(documents[2]) == [papers.MOST_BYTES // MEGABYTE, papers.MOST_FILES]
    assert endings(prices[1]) == {ending.lstrip(".") for ending in {*asking.LIST_TEXT, *asking.LIST_BEGINS}}
    assert numbers(prices[2]) == [asking.LARGEST_LIST // MEGABYTE]


def test_limits_are_those_that_hold() -> None:
    reveals, wrong, hooks, calls = (row("Limits", name) for name in ("reveals", "wrong passwords", "webhooks", "calls"))

    assert numbers(reveals[1]) + numbers(reveals[2]) == [10, 30, 100] == [*settings.REVEAL_LIMITS.values()]
    assert numbers(wrong[1]) == [tries.PROOF.free, tries.PROOF.first.seconds, tries.PROOF.longest.seconds // 60]
    paces = [(pace.free, pace.first.seconds, pace.longest.seconds // 60) for pace in (tries.NAME, tries.ADDRESS)]
    assert numbers(wrong[2]) == [number for pace in paces for number in pace]
    assert numbers(hooks[1]) == [*map(int, settings.WEBHOOK_LIMITS["address"])]
    assert numbers(hooks[2]) == [*map(int, settings.WEBHOOK_LIMITS["sender"])]
    assert numbers(calls[2]) == [limit.calls for limit in budget.DEFAULTS.values()]
    assert numbers(row("Limits", "codes in")[1]) == [handing_over.MOST_IN_A_FILE]
    assert numbers(row("Rules of input", "quantity")[1]) == [1, policies.MAX_QUANTITY]


def test_every_way_in_is_listed_and_no_other_is_there() -> None:
    named = {
        name
        for line in section("Ways in").splitlines()
        if line[:1] == "|"
        for name in re.findall(r"`([\w:]+)`", line.split(" | ")[0])
    }

    assert named == OPEN_TO_ALL | {"add_person", "new_password", "remove_factor"}
    times = numbers(re.findall(r"A sign-in ends after (.+?) \(", section("Ways in"))[0])
    assert times == [settings.SESSION_COOKIE_AGE // 60, settings.SESSION_LONGEST // 3600]
    assert f"after {stepping_up.LASTS.seconds // 60} minutes" in section("Ways in")


def test_words_that_no_password_may_be_are_listed() -> None:
    named = section("Ways in").rpartition("the person's names, and")[2]

    assert tuple(re.findall(r"`(\w+)`", named)) == passwords.OF_THIS_PLACE
