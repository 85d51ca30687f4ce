"""Codes leave for customers one by one, or in an encrypted file that two people stand for, fetched once (R65)."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.errors import NotAllowed, Refused
from procurement.orders.custody import DeliveryFile
from procurement.orders.models import Code, Order
from procurement.orders.services import handing_over
from procurement.orders.trail import trail_of
from procurement.staff.models import RoleGrant, User
from procurement.vault import Secret
from procurement.vault.passphrase import NotOpened, open_with_passphrase, seal_with_passphrase
from procurement.web.once import new_token
from tests.claims.conftest import account, make_code, make_order
from tests.orders.revealing import plain, signed_in

__all__ = ["account", "make_code", "make_order"]
pytestmark = [pytest.mark.django_db, pytest.mark.requirement("R65")]
PASSPHRASE = "correct horse battery staple"
WHY = "Customers of this morning"


@pytest.fixture
def order(account: Any, make_order: Callable[..., Order], make_code: Callable[..., Code]) -> Order:
    """Three codes in stock."""
    made = make_order(account)
    for number in range(3):
        make_code(made, f"TST0-7K3M-AA0{number}")
    return made


def send(person: User, name: str, pk: Any, **fields: Any) -> Any:
    return signed_in(person).post(reverse(f"orders:{name}", args=[pk]), {"once": new_token(), **fields})


def states(order: Order) -> list[tuple[str, str]]:
    return list(order.codes.order_by("position").values_list("state", "customer_order"))


UNTOUCHED = [("stored", "")] * 3


# One by one


def test_a_code_is_handed_over_to_a_customer_order(buyer: User, order: Order) -> None:
    code = order.codes.order_by("position")[0]

    assert send(buyer, "code_hand_over", code.pk, customer_order=" SHOP-10421 ").status_code == 303

    code.refresh_from_db()
    assert (code.state, code.customer_order) == ("handed_over", "SHOP-10421")
    assert code.handed_over_at is not None
    event = AuditEvent.objects.get(action="code.handed_over")
    assert (event.actor, event.facts["customer_order"]) == (buyer, "SHOP-10421")
    page = signed_in(buyer).get(reverse("orders:order_detail", args=[order.pk])).content.decode()
    assert page.count("Hand over") == 2


@pytest.mark.parametrize("text", ["", "  ", "two words", "=cmd", "x" * 101, "TST0-7K3M-AA00", "tst07k3maa00"])
def test_a_code_or_nonsense_in_place_of_the_customer_order_is_refused(buyer: User, order: Order, text: str) -> None:
    answer = send(buyer, "code_hand_over", order.codes.order_by("position")[0].pk, customer_order=text)

    assert answer.status_code == 422
    # The form comes back without the code.
    assert "7K3MAA00" not in answer.content.decode().upper().replace("-", "")
    assert states(order) == UNTOUCHED


def test_a_code_is_handed_over_once(buyer: User, manager: User, order: Order) -> None:
    code = order.codes.order_by("position")[0]
    send(buyer, "code_hand_over", code.pk, customer_order="SHOP-1")

    answer = send(manager, "code_hand_over", code.pk, customer_order="SHOP-1")

    assert answer.status_code == 422
    assert AuditEvent.objects.filter(action="code.handed_over").count() == 1


def test_a_code_kept_for_one_customer_goes_to_no_other(buyer: User, order: Order) -> None:
    code = order.codes.order_by("position")[0]
    Code.objects.filter(pk=code.pk).update(customer_order="SHOP-7")

    answer = send(buyer, "code_hand_over", code.pk, customer_order="SHOP-8")

    assert (answer.status_code, "kept for the customer order SHOP-7" in answer.content.decode()) == (422, True)
    code.refresh_from_db()
    assert code.state == "stored"
    assert send(buyer, "code_hand_over", code.pk, customer_order="SHOP-7").status_code == 303


@pytest.mark.parametrize("who", ["support", "finance", "admin", "auditor"])
def test_who_delivers_nothing_hands_nothing_over(who: str, order: Order, request: pytest.FixtureRequest) -> None:
    person = request.getfixturevalue(who)
    answers = [
        send(person, "code_hand_over", order.codes.order_by("position")[0].pk, customer_order="SHOP-1"),
        send(person, "order_deliver", order.pk, customer_orders="SHOP-1", reason=WHY),
    ]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert (states(order), DeliveryFile.objects.count()) == (UNTOUCHED, 0)


# In a file


@pytest.fixture
def file(buyer: User, order: Order) -> DeliveryFile:
    send(buyer, "order_deliver", order.pk, customer_orders="SHOP-1\r\n\r\nSHOP-2\r\n", reason=WHY)
    return DeliveryFile.objects.get()


@pytest.fixture
def released(file: DeliveryFile, manager: User) -> DeliveryFile:
    assert send(manager, "delivery_release", file.pk).status_code == 303
    file.refresh_from_db()
    return file


def fetch(person: User, file: DeliveryFile, passphrase: str = PASSPHRASE, again: str = "") -> Any:
    return send(person, "delivery_fetch", file.pk, passphrase=passphrase, again=again or passphrase)


def rows_of(blob: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(open_with_passphrase(blob, Secret(PASSPHRASE)).decode())))


def test_one_asks_another_releases_and_the_first_fetches_it_once(
    buyer: User, order: Order, released: DeliveryFile
) -> None:
    assert states(order) == UNTOUCHED

    answer = fetch(buyer, released)

    codes = list(order.codes.order_by("position"))
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/octet-stream")
    assert "no-store" in answer["Cache-Control"]
    assert [(row["customer_order"], row["code"]) for row in rows_of(answer.content)] == [
        ("SHOP-1", plain(codes[0])),
        ("SHOP-2", plain(codes[1])),
    ]
    assert (rows_of(answer.content)[0]["region"], rows_of(answer.content)[0]["face"]) == ("US", "50.00")
    assert states(order) == [("handed_over", "SHOP-1"), ("handed_over", "SHOP-2"), ("stored", "")]
    released.refresh_from_db()
    assert (released.state, released.count) == ("fetched", 2)
    assert released.sha256 == hashlib.sha256(answer.content).hexdigest()
    names = [f"delivery_file.{step}" for step in ("requested", "released", "fetched", "made")]
    assert (
        list(AuditEvent.objects.filter(action__startswith="delivery").order_by("id").values_list("action", flat=True))
        == names
    )
    again = fetch(buyer, released)
    assert (again.status_code, b"CSDF" in again.content) == (422, False)


def test_the_file_holds_no_code_in_the_clear_and_no_page_does(
    buyer: User, auditor: User, order: Order, released: DeliveryFile
) -> None:
    blob = fetch(buyer, released).content
    codes = [plain(code) for code in order.codes.all()]
    pages = [
        signed_in(auditor).get(reverse(f"orders:{name}", args=args)).content.decode()
        for name, args in (("delivery_detail", [released.pk]), ("delivery_list", []), ("order_detail", [order.pk]))
    ]

    assert [code for code in codes if code.encode() in blob] == []
    assert [code for code in codes for page in pages if code in page.replace("-", "")] == []
    assert released.pk.hex[:8] in pages[1]
    trail = trail_of(order.codes.order_by("position")[0])
    assert [line.file.requested_by for line in trail.files] == [buyer]


def test_nobody_releases_their_own_file(manager: User, second_manager: User, order: Order) -> None:
    send(manager, "order_deliver", order.pk, customer_orders="SHOP-1", reason=WHY)
    file = DeliveryFile.objects.get()

    assert send(manager, "delivery_release", file.pk).status_code == 403
    with pytest.raises(IntegrityError), transaction.atomic():
        DeliveryFile.objects.update(state="released", decided_by=manager)
    file.refresh_from_db()
    assert (file.state, states(order)) == ("requested", UNTOUCHED)

    assert send(second_manager, "delivery_release", file.pk).status_code == 303


def test_a_manager_of_today_releases_nothing(file: DeliveryFile, outsider: User) -> None:
    RoleGrant.objects.create(user=outsider, role="manager")

    assert send(outsider, "delivery_release", file.pk).status_code == 403

    file.refresh_from_db()
    assert file.state == "requested"


@pytest.mark.parametrize("who", ["manager", "second_manager"])
def test_only_who_asked_fetches_it(
    who: str, released: DeliveryFile, order: Order, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(NotAllowed):
        handing_over.fetch_file(by=request.getfixturevalue(who), file=released, passphrase=Secret(PASSPHRASE))

    released.refresh_from_db()
    assert (released.state, states(order)) == ("released", UNTOUCHED)


@pytest.mark.parametrize(("passphrase", "again"), [("too short", ""), (PASSPHRASE, "another one of them"), ("", "")])
def test_without_a_good_passphrase_no_file_is_made(
    buyer: User, released: DeliveryFile, order: Order, passphrase: str, again: str
) -> None:
    answer = fetch(buyer, released, passphrase, again)

    assert answer.status_code == 422
    assert PASSPHRASE not in answer.content.decode()
    released.refresh_from_db()
    assert (released.state, states(order)) == ("released", UNTOUCHED)


def test_before_it_is_released_and_after_a_day_it_is_not_fetched(
    buyer: User, manager: User, file: DeliveryFile, order: Order
) -> None:
    assert fetch(buyer, file).status_code == 422
    send(manager, "delivery_release", file.pk)
    with time_machine.travel(timezone.now() + timedelta(hours=24, seconds=1)):
        late = fetch(buyer, file)

    assert (late.status_code, "older than 24 hours" in late.content.decode()) == (422, True)
    assert states(order) == UNTOUCHED


def test_a_declined_file_frees_its_codes(buyer: User, manager: User, file: DeliveryFile, order: Order) -> None:
    full = {"customer_orders": "A\nB\nC", "reason": WHY}
    assert "1 codes that are free" in send(buyer, "order_deliver", order.pk, **full).content.decode()

    assert send(manager, "delivery_decline", file.pk).status_code == 303

    assert fetch(buyer, file).status_code == 422
    assert send(buyer, "order_deliver", order.pk, **full).status_code == 303
    assert states(order) == UNTOUCHED


def test_a_code_that_moved_meanwhile_stops_the_whole_file(
    buyer: User, manager: User, released: DeliveryFile, order: Order
) -> None:
    send(manager, "code_hand_over", order.codes.order_by("position")[1].pk, customer_order="ELSE-1")

    answer = fetch(buyer, released)

    assert (answer.status_code, b"CSDF" in answer.content) == (409, False)
    released.refresh_from_db()
    assert released.state == "released"
    assert states(order) == [("stored", ""), ("handed_over", "ELSE-1"), ("stored", "")]


def test_a_lost_file_is_asked_for_anew_with_the_same_codes(
    buyer: User, manager: User, released: DeliveryFile, order: Order
) -> None:
    first = fetch(buyer, released).content
    send(buyer, "order_deliver", order.pk, customer_orders="SHOP-2\nSHOP-1", reason="The file was lost")
    second = DeliveryFile.objects.exclude(pk=released.pk).get()
    send(manager, "delivery_release", second.pk)

    rows = rows_of(fetch(buyer, second).content)

    assert {row["customer_order"]: row["code"] for row in rows} == {
        row["customer_order"]: row["code"] for row in rows_of(first)
    }
    assert states(order)[2] == ("stored", "")


def test_too_many_or_none_are_refused(buyer: User, order: Order) -> None:
    for lines in ("", " \n ", "\n".join(f"S-{number}" for number in range(201)), "a\nb\nc\nd", "TST0-7K3M-AA00"):
        assert send(buyer, "order_deliver", order.pk, customer_orders=lines, reason=WHY).status_code == 422
    assert send(buyer, "order_deliver", order.pk, customer_orders="SHOP-1", reason="short").status_code == 422

    assert DeliveryFile.objects.count() == 0


def test_a_broken_seal_makes_no_file_and_the_codes_can_be_asked_for_again(
    buyer: User, released: DeliveryFile, order: Order
) -> None:
    Code.objects.filter(order=order, position=1).update(sealed=b"G" * 60)

    answer = fetch(buyer, released)

    assert (answer.status_code, b"CSDF" in answer.content) == (503, False)
    assert AuditEvent.objects.filter(action="delivery_file.failed").count() == 1
    released.refresh_from_db()
    assert (released.state, released.sha256) == ("fetched", "")
    assert send(buyer, "order_deliver", order.pk, customer_orders="SHOP-2", reason=WHY).status_code == 303


def test_a_manager_is_told_what_waits(manager: User, buyer: User, file: DeliveryFile) -> None:
    overview = reverse("overview")

    assert "1 delivery file waits for a second person" in signed_in(manager).get(overview).content.decode()
    assert "delivery file" not in signed_in(buyer).get(overview).content.decode()


# The file itself


def test_a_file_opens_with_its_passphrase_alone_and_only_unchanged() -> None:
    blob = seal_with_passphrase(b"plain", Secret(PASSPHRASE))

    assert open_with_passphrase(blob, Secret(PASSPHRASE)) == b"plain"
    for wrong in (blob[:-1], blob + b"x", b"", b"CSDF", *(flipped(blob, at) for at in range(0, len(blob), 7))):
        with pytest.raises(NotOpened):
            open_with_passphrase(wrong, Secret(PASSPHRASE))
    with pytest.raises(NotOpened):
        open_with_passphrase(blob, Secret(PASSPHRASE.upper()))


def flipped(blob: bytes, at: int) -> bytes:
    return blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]


def test_two_files_of_the_same_codes_differ() -> None:
    first, second = (seal_with_passphrase(b"plain", Secret(PASSPHRASE)) for _ in range(2))
    assert first != second


def test_the_receiver_opens_it_with_a_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = seal_with_passphrase(b"customer_order,code\nSHOP-1,TST07K3MAA00\n", Secret(PASSPHRASE))
    sealed, opened = tmp_path / "delivery.csdf", tmp_path / "delivery.csv"
    sealed.write_bytes(blob)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSPHRASE}\n"))

    call_command("open_delivery", str(sealed), to=opened)

    said = capsys.readouterr()
    assert hashlib.sha256(blob).hexdigest() in said.err
    assert "1 code in" in said.err
    assert "TST07K3MAA00" not in said.out + said.err
    assert opened.read_bytes().endswith(b"SHOP-1,TST07K3MAA00\n")
    assert opened.stat().st_mode & 0o777 == 0o600


def test_the_command_writes_nothing_for_a_wrong_passphrase_and_over_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed, opened = tmp_path / "delivery.csdf", tmp_path / "delivery.csv"
    sealed.write_bytes(seal_with_passphrase(b"header\nline\n", Secret(PASSPHRASE)))
    monkeypatch.setattr("sys.stdin", io.StringIO("not the passphrase\n"))
    with pytest.raises(CommandError, match="Nothing was opened"):
        call_command("open_delivery", str(sealed), to=opened)
    assert not opened.exists()

    opened.write_text("mine")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSPHRASE}\n"))
    with pytest.raises(CommandError, match="Nothing was opened"):
        call_command("open_delivery", str(sealed), to=opened)
    assert opened.read_text() == "mine"


@pytest.mark.requirement("R108")
def test_codes_of_the_other_environment_stay(buyer: User, order: Order) -> None:
    type(order.account).objects.update(environment="live")
    order = Order.objects.get(pk=order.pk)

    with pytest.raises(Refused, match="other environment"):
        handing_over.request_file(by=buyer, order=order, customer_orders=["SHOP-1"], reason=WHY)
    with pytest.raises(Refused, match="other environment"):
        handing_over.hand_over_code(by=buyer, code=order.codes.all()[0], customer_order="SHOP-1")
    assert states(order) == UNTOUCHED
