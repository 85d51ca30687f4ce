"""docs/protection.md says of data, keys, logs, files, limits and ways in what the program does."""

from __future__ import annotations

import ast
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.hashers import get_hasher
from django.core.management import get_commands

from procurement import settings as settings_module
from procurement.bookkeeping import papers
from procurement.catalog.forms import SkuListForm
from procurement.catalog.services import validating
from procurement.catalog.skulist import reading
from procurement.demo.documents import named_views, permissions_page
from procurement.demo.ownership import DIFFERS
from procurement.onboarding.forms import ValidatedForm
from procurement.orders import policies
from procurement.orders.forms import BringInForm
from procurement.orders.services import handing_over
from procurement.people.models import LIFE
from procurement.reconciliation.forms import StatementForm
from procurement.staff import passwords, stepping_up, tries
from procurement.suppliers import budget
from procurement.suppliers.clients import transport
from procurement.suppliers.services import PREVIOUS_SECRET_LIVES
from procurement.suppliers.tasks import REFUSED_KEPT
from procurement.terms import asking
from procurement.vault import passphrase
from procurement.vault.columns import SEALED_COLUMNS
from procurement.vault.purposes import Purpose
from procurement.web import lists
from tests.security.test_source import DESK, called, files_that
from tests.test_url_walk import OPEN_TO_ALL

ROOT = Path(settings.ROOT)
PAGE = (ROOT / "docs" / "protection.md").read_text(encoding="utf-8")
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


# What stands under "together with" in the rules of input, by the row's first words, and where its refusal is seen.
TOGETHER = {
    "quantity": [
        "tests/orders/test_drafting.py::test_no_more_is_ordered_than_the_supplier_has",
        "tests/orders/test_drafting.py::test_an_order_beyond_the_balance_is_refused_and_holds_nothing",
        "tests/orders/test_volume.py::test_an_order_above_the_cap_is_not_approved_and_holds_no_money",
    ],
    "SKU, product": ["tests/orders/test_drafting.py::test_a_mapping_whose_sides_differ_cannot_be_ordered_from"],
    "cost": ["tests/orders/test_approved.py::test_a_price_that_rises_while_a_postponed_order_waits_sends_it_back"],
    "amount": ["tests/ledger/test_services.py::test_unbalanced_lines_are_refused"],
    "code": [
        "tests/orders/test_bringing_in.py::test_a_file_that_is_wrong_anywhere_brings_nothing_and_is_not_shown_back"
    ],
    "reason of a reveal": ["tests/orders/test_reveal.py::test_a_case_of_another_order_is_no_ground"],
    "customer's region": [
        "tests/claims/test_verdict.py::test_every_combination_of_three_regions_has_exactly_one_verdict"
    ],
    "sign-in name": ["tests/people/test_invitations.py::test_a_second_account_of_one_person_is_not_made"],
    "e-mail address": ["tests/people/test_invitations.py::test_a_second_account_of_one_person_is_not_made"],
    "dates": ["tests/bookkeeping/test_corrections.py::test_a_day_whose_books_are_closed_takes_none"],
}


def test_what_must_agree_is_written_down_with_a_test_that_sees_it_refused() -> None:
    rows = [
        [cell.strip() for cell in line[1:-1].split("|")] for line in section("Rules of input").splitlines()[3:] if line
    ]
    written = [what for what, _, together in rows if together]

    assert len(written) == len(TOGETHER)
    assert all(what.startswith(begins) for what, begins in zip(written, TOGETHER, strict=True))
    for path, name in (test.split("::") for tests in TOGETHER.values() for test in tests):
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), name


def test_the_page_of_permissions_is_what_the_program_does() -> None:
    page = (ROOT / "docs" / "permissions.md").read_text(encoding="utf-8")
    functions, whose = page.partition("## One's own and somebody else's")[::2]

    assert page == permissions_page()
    assert all(f"| `{name}` |" in functions for name, _ in named_views())
    assert all(f"| `{name}` | {rule.who} |" in whose for name, rules in DIFFERS.items() for rule in rules)


# What opens a connection by itself, by where that stands in the source, and how its row in the list begins.
OPENS = {
    "procurement/suppliers/clients/http.py": "web, worker | suppliers' APIs",
    "procurement/suppliers/clients/transport.py": "web, worker | suppliers' APIs",
    "procurement/vault/transit.py": "web, worker, commands | HashiCorp Vault",
    "procurement/people/mailing.py": "web | mail server",
    "procurement/celery.py": "web, worker, scheduler | RabbitMQ or Redis",
    "procurement/onboarding/listening.py": "`contract_probe`, `sandbox_flow` | our own `COUNTERSIGN_SITE_URL`",
}
OPENING = {"httpx": {"Client", "AsyncClient", "get", "post", "put", "request", "stream"}}
OPENING |= {
    "socket": {"create_connection", "socket", "getaddrinfo"},
    "": {"send_mail", "Connection", "Celery", "urlopen"},
}


def opens(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    of = getattr(getattr(node.func, "value", None), "id", "")
    return called(node) in OPENING.get(of, set()) or called(node) in OPENING[""]


def test_every_connection_is_listed_and_no_other_is_opened() -> None:
    list_of_rows = section("Connections")
    by_address = set(re.findall(r"`([A-Z_]+)`", list_of_rows)) - {"COUNTERSIGN_SUPPLIER_HOSTS"}
    of_settings = set(re.findall(r"^\| (\w+) \|.*(?:://)", str(settings_module.__doc__), re.M))

    assert set(files_that(opens, DESK)) == set(OPENS)
    assert all(f"| {begins}" in list_of_rows for begins in OPENS.values())
    assert by_address == of_settings


def test_what_takes_long_is_bounded_as_listed() -> None:
    rows = {
        name: row("What takes long", name)[2]
        for name in ("placing", "an API key", "a list |", "an export", "a delivery")
    }
    kinds = " ".join(re.findall(r"`(\w+)`", section("What takes long")))

    assert numbers(rows["placing"]) == [transport.TOTAL, settings.WORK_PER_ACCOUNT]
    assert numbers(rows["an API key"]) == [transport.TOTAL]
    assert numbers(rows["a list |"]) == [max(lists.PAGE_SIZES)]
    assert numbers(rows["an export"]) == [lists.MOST_EXPORTED]
    assert numbers(rows["a delivery"]) == [handing_over.MOST_IN_A_FILE]
    assert set(kinds.split()) <= set(get_commands())


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
