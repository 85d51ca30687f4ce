"""A supplier's statement: what can be read of it, what a day says beside it, and that it is all of it or nothing."""

from __future__ import annotations

import re
import uuid
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from procurement.bookkeeping import corrections
from procurement.errors import NotAllowed, Refused
from procurement.reconciliation import signing
from procurement.reconciliation.models import AccountStatement, SignOff
from procurement.reconciliation.statement_file import read_statement
from procurement.reconciliation.statements import apply_statement, dry_run_statement
from procurement.reconciliation.tasks import WORK_KIND
from procurement.staff.models import User
from procurement.work.models import DueWork
from tests.reconciliation.conftest import DAY, NEXT, NOON, Scene, moment, named

LATER = NEXT + timedelta(hours=9)
HEADER = "Date;Transaction type;Total;Order_ID;Details"


def csv(*lines: str) -> bytes:
    return "\n".join([HEADER, *lines]).encode()


def upload(
    scene: Scene, by: User, *lines: str, first: date = DAY, last: date = DAY, at: datetime = LATER
) -> AccountStatement:
    facts: dict[str, Any] = {"account": scene.account, "currency": "USD", "first": first, "last": last}
    with moment(at):
        return dry_run_statement(by=by, name="november.csv", content=csv(*lines), **facts)


def imported(scene: Scene, by: User, *lines: str, **days: Any) -> AccountStatement:
    made = upload(scene, by, *lines, **days)
    with moment(LATER):
        apply_statement(by=by, statement=made)
    return made


def order_line(label: str, minor: int, time: str = "12:00:01", kind: str = "purchase") -> str:
    return f"{DAY} {time};{kind};{minor / 100:.2f};r-{label};"


@pytest.mark.requirement("R93", "R94")
def test_a_day_that_agrees_with_its_statement_agrees(scene: Scene, finance: User) -> None:
    scene.buy("ORD-1", 4500)
    scene.buy("ORD-2", 4500, NOON + timedelta(minutes=1))
    scene.deposit(10_000, NOON)
    imported(scene, finance, order_line("ORD-1", -4500), order_line("ORD-2", 4500), f"{DAY};Top-up;100.00;;transfer")
    row = scene.run(at=LATER)
    assert (row.state, named(row)) == ("agrees", [])


@pytest.mark.requirement("R88", "R98")
def test_a_fee_of_the_statement_names_what_the_balance_only_shows(scene: Scene, finance: User, manager: User) -> None:
    scene.buy("ORD-1")
    scene.balance -= 300
    assert named(scene.run()) == [("balance", "balance", -300)]
    imported(scene, finance, order_line("ORD-1", 4500), f"{DAY} 15:00;fee;3.00;;Network fee")
    row = scene.run(at=LATER)
    assert named(row) == [("statement", "Network fee, line 3", -300)]

    with moment(LATER):
        facts: dict[str, Any] = {"account": scene.account, "currency": "USD", "against": "fees", "day": DAY}
        fee = corrections.propose_correction(by=finance, amount_minor=-300, reason="As the statement says.", **facts)
        corrections.book_correction(by=manager, correction=fee)
    row = scene.run(at=LATER)
    assert (row.state, named(row)) == ("agrees", [])


def test_orders_are_matched_by_id_and_each_side_may_lack_one(scene: Scene, finance: User) -> None:
    scene.buy("ORD-1", 4500)
    scene.buy("ORD-2", 4500)
    imported(scene, finance, order_line("ORD-1", 5000), order_line("ORD-9", 700))
    found = named(scene.run(at=LATER))
    assert found == [("statement", "ORD-1", -500), ("statement", "ORD-2", 4500), ("statement", "r-ORD-9", -700)]


def test_what_the_supplier_said_already_is_not_said_twice(scene: Scene, finance: User) -> None:
    order = scene.buy("ORD-1", 4500)
    scene.restate(order, total=5000)
    imported(scene, finance, order_line("ORD-1", 5000))
    assert named(scene.run(at=LATER)) == [("amount", "ORD-1", -500)]


def test_a_refund_and_a_purchase_of_one_order_add_up(scene: Scene, finance: User) -> None:
    scene.buy("ORD-1", 4500)
    imported(scene, finance, order_line("ORD-1", 6000), order_line("ORD-1", 1500, kind="refund"))
    assert named(scene.run(at=LATER)) == []


def test_near_midnight_the_two_clocks_may_differ(scene: Scene, finance: User) -> None:
    scene.buy("ORD-1", 4500, NEXT - timedelta(seconds=20))
    after, at = DAY + timedelta(days=1), NEXT + timedelta(days=1, hours=2)
    imported(scene, finance, f"{after} 00:00:03;order;45.00;r-ORD-1;", last=after, at=at)
    assert named(scene.run(at=at)) == named(scene.run(after, at=at)) == []


def test_deposits_are_matched_by_number_then_by_amount(scene: Scene, finance: User) -> None:
    scene.deposit(10_000, NOON)
    scene.deposit(2_000, NOON)
    imported(scene, finance, f"{DAY};deposit;20.00;;x", f"{DAY};deposit;20.00;;y", f"{DAY};deposit;100.00;;z")
    assert named(scene.run(at=LATER)) == [("statement", "y, line 3", 2_000)]


def test_two_equal_fees_are_two(scene: Scene, finance: User) -> None:
    imported(scene, finance, f"{DAY};fee;1.00;;Fee", f"{DAY};fee;1.00;;Fee")
    assert [amount for _, _, amount in named(scene.run(at=LATER))] == [-100, -100]


@pytest.mark.requirement("R93", "R97")
def test_a_late_statement_opens_a_signed_day_again_and_keeps_the_signature(
    scene: Scene, finance: User, manager: User
) -> None:
    scene.buy("ORD-1")
    row = scene.run()
    with moment(LATER):
        made = signing.prepare_day(by=finance, row=row)
        signing.sign_day(by=manager, sign_off=made, shown_hash=made.content_hash)
    imported(scene, finance, order_line("ORD-1", 4500))
    assert scene.run(at=LATER).sign_offs.get().state == "signed"
    imported(scene, finance, order_line("ORD-1", 4600))
    scene.run(at=LATER)
    kept = SignOff.objects.get()
    assert (kept.state, kept.reviewed_by) == ("reopened", manager)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("yesterday;order;1.00;r-1;", "is no time"),
        ("20.11.2026;order;1.00;r-1;", "is no time"),
        ("2026-11-25;order;1.00;r-1;", "outside the statement's days"),
        ("2026-11-20;gift;1.00;r-1;", "is no known type"),
        ("2026-11-20;order;1,00;r-1;", "is not an amount"),
        ("2026-11-20;order;1.00;;", "names no order id"),
        ("2026-11-20;deposit;-1.00;;", "takes money"),
        ("2026-11-20;order", "amount is empty"),
    ],
)
def test_one_bad_line_has_its_sentence_and_nothing_is_imported(
    scene: Scene, finance: User, line: str, said: str
) -> None:
    made = upload(scene, finance, f"{DAY};fee;1.00;;Fee", line)
    assert [said in one["problem"] for one in made.problems] == [True]
    with moment(LATER), pytest.raises(Refused, match="1 of its lines can't be read"):
        apply_statement(by=finance, statement=made)
    assert named(scene.run(at=LATER)) == []
    assert not DueWork.objects.filter(kind=WORK_KIND).exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"%PDF-1.7", "a PDF"),
        (b"time,type\n2026-11-20,fee\n", "names no column for amount"),
        (b"time,type,amount\n", "a header and no lines"),
        (b"\xff\x00", "not text"),
    ],
)
def test_a_file_that_is_no_statement_is_refused_whole(content: bytes, said: str) -> None:
    with pytest.raises(Refused, match=said):
        read_statement(content, "USD", DAY, DAY)


def test_the_same_file_is_one_statement_and_is_imported_once(scene: Scene, finance: User) -> None:
    wrong_days = upload(scene, finance, f"{DAY};fee;1.00;;Fee", first=DAY - timedelta(days=9), last=DAY - timedelta(8))
    assert len(wrong_days.problems) == 1
    made = imported(scene, finance, f"{DAY};fee;1.00;;Fee")
    again = imported(scene, finance, f"{DAY};fee;1.00;;Fee", first=DAY - timedelta(days=5))
    assert (again.pk, again.first, again.applied_at) == (made.pk, DAY, LATER)
    assert AccountStatement.objects.count() == 1


def test_only_days_that_are_over_and_only_finance(scene: Scene, finance: User, manager: User) -> None:
    today = LATER.date()
    for first, last in ((DAY, today), (DAY, DAY - timedelta(days=1)), (DAY - timedelta(days=200), DAY)):
        with pytest.raises(Refused, match="Nothing was imported"):
            upload(scene, finance, f"{DAY};fee;1.00;;Fee", first=first, last=last)
    with pytest.raises(NotAllowed, match="Finance"):
        upload(scene, manager, f"{DAY};fee;1.00;;Fee")
    assert not AccountStatement.objects.exists()


def words(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.content.decode()))


def test_a_statement_goes_over_its_pages_to_its_days(client: Client, scene: Scene, finance: User) -> None:
    client.force_login(finance)
    new, day = reverse("reconciliation:statement_new"), timezone.now().date() - timedelta(days=1)
    assert client.get(new).status_code == 200

    def send(content: bytes) -> Any:
        facts = {"account": "alpha", "currency": "", "first": str(day), "last": str(day), "once": uuid.uuid4().hex}
        return client.post(new, facts | {"file": SimpleUploadedFile("s.csv", content)})

    assert send(b"a,b\n1,2\n").status_code == 422
    bad = client.get(send(csv(f"{day};gift;1.00;;"))["Location"])
    assert "1 line can't be read, so none is imported." in words(bad)
    shown = send(csv(f"{day};fee;1.00;;Network fee"))["Location"]
    assert "Every line can be read." in words(client.get(shown))
    pk = AccountStatement.objects.latest("pk").pk
    client.post(reverse("reconciliation:statement_apply", args=[pk]), {"once": uuid.uuid4().hex})
    assert "its days are compared with it" in words(client.get(shown))
    assert DueWork.objects.filter(kind=WORK_KIND).count() == 1
