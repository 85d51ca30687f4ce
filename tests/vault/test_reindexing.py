# ruff: noqa: F811 (fixtures are taken by their names)
"""The key of the fingerprints is replaced while codes come in: a code is stored once and found, before, during and after."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from procurement import faultpoints
from procurement.audit.models import AuditEvent
from procurement.custody import erasing
from procurement.errors import Refused
from procurement.orders import finding, policies, queries
from procurement.orders.models import Code, ImportedCode, Order
from procurement.orders.services.bringing_in import upload_codes
from procurement.orders.services.receiving import take_in
from procurement.staff.models import User
from procurement.suppliers.clients.types import RemoteCode
from procurement.suppliers.models import SupplierAccount
from procurement.vault import Fingerprints, Purpose, Secret, fingerprints, keyring, open_sealed, reindexing
from procurement.vault.models import CryptoKey
from procurement.vault.rotation import left_over, rotate
from tests.claims.conftest import account, make_code, make_order  # noqa: F401 - fixtures
from tests.vault.test_rotation import Died

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("R61")]
MakeCode = Callable[..., Code]
CODES = [f"TST0-EFGH-{1000 + number}" for number in range(7)]
WAITS = "TST0-WAIT-S001"
KILLED_AT = ["vault.index_key_added", "vault.make_anew", "vault.index_key_retired", "vault.drop_those_before"]


@pytest.fixture
def order(account: SupplierAccount, make_order: Callable[..., Order]) -> Order:
    return make_order(account, state="paid", quantity=2, total_cost_minor=9240)


@pytest.fixture
def seven(
    account: SupplierAccount,
    make_order: Callable[..., Order],
    make_code: MakeCode,
    buyer: User,
    order: Order,
    monkeypatch: pytest.MonkeyPatch,
) -> list[Code]:
    """Seven codes in custody, one of them erased, and one that waits; three rows are made anew at a time."""
    monkeypatch.setattr(reindexing, "BATCH", 3)
    held = make_order(account)
    made = [make_code(held, text) for text in CODES]
    Code.objects.filter(pk=made[0].pk).update(sealed=b"")
    upload_codes(by=buyer, order=order, content=f"code\n{WAITS}\n".encode(), source="Mail from their support")
    return made


def run() -> int:
    return reindexing.rotate_fingerprints(progress=lambda done, of: None).sealed


def run_until(point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(name: str) -> None:
        if name == point:
            raise Died

    with monkeypatch.context() as patch:
        patch.setattr(faultpoints, "hook", die)
        with pytest.raises(Died):
            run()


def check_found_and_refused(codes: list[Code], make_code: MakeCode, buyer: User, order: Order) -> None:
    """Each code is found by its text; a second one is refused by services and, where they are passed by, by the database."""
    for text, code in zip(CODES, codes, strict=True):
        assert queries.find_codes(text) == [code]
        intake = take_in(order, (RemoteCode(Secret(text), region=""),))
        assert (intake.fresh, len(intake.troubles)) == ([], 1)
        with pytest.raises(IntegrityError), transaction.atomic():
            make_code(order, text)
    for text, says in ((CODES[0], "is held already"), (WAITS, "waits in another import")):
        with pytest.raises(Refused, match=says):
            upload_codes(by=buyer, order=order, content=f"code\n{text}\n".encode(), source="Mail from their support")
    assert (Code.objects.count(), ImportedCode.objects.count()) == (7, 1)


def statuses() -> list[str]:
    return list(CryptoKey.objects.filter(purpose="bidx").order_by("version").values_list("status", flat=True))


def test_each_fingerprint_is_made_anew_without_a_code_being_opened(
    seven: list[Code], make_code: MakeCode, buyer: User, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(Code.objects.values_list("fingerprint", flat=True))
    used: list[Purpose] = []
    key_by_id = keyring.key_by_id

    def noted(key_id: int, purpose: Purpose) -> bytes:
        used.append(purpose)
        return key_by_id(key_id, purpose)

    with monkeypatch.context() as patch:
        patch.setattr(keyring, "key_by_id", noted)
        assert run() == 8

    assert set(used) == {Purpose.BIDX}
    assert statuses() == ["decrypt_only", "active"]
    assert not set(Code.objects.values_list("fingerprint", flat=True)) & before
    assert not Code.objects.exclude(fingerprint_before=None).exists()
    check_found_and_refused(seven, make_code, buyer, order)
    assert run() == 8
    assert statuses() == ["decrypt_only", "decrypt_only", "active"]
    check_found_and_refused(seven, make_code, buyer, order)


@pytest.mark.parametrize("point", KILLED_AT)
def test_a_run_that_died_lets_no_code_in_twice_and_is_finished_by_the_next(
    seven: list[Code], make_code: MakeCode, buyer: User, order: Order, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_until(point, monkeypatch)
    made_anew = {"vault.index_key_added": 0, "vault.make_anew": 3}.get(point, 8)

    check_found_and_refused(seven, make_code, buyer, order)
    late = make_code(order, "TST0-LATE-0001")
    assert queries.find_codes("TST0-LATE-0001") == [late]

    assert run() == 8 - made_anew
    assert statuses() == ["decrypt_only", "active"]
    assert not Code.objects.exclude(fingerprint_before=None).exists()
    assert queries.find_codes("TST0-LATE-0001") == [late]
    late.delete()
    check_found_and_refused(seven, make_code, buyer, order)


@pytest.mark.parametrize("point", KILLED_AT)
def test_a_run_that_another_one_overtakes_at_any_point_makes_nothing_anew_twice(
    seven: list[Code], make_code: MakeCode, buyer: User, order: Order, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other finishes this replacement, begins the next one and dies in it: what this run read of the keys is long past."""

    def overtake(name: str) -> None:
        if name == point:
            monkeypatch.setattr(faultpoints, "hook", None)
            run()
            run_until("vault.make_anew", monkeypatch)

    monkeypatch.setattr(faultpoints, "hook", overtake)
    run()
    check_found_and_refused(seven, make_code, buyer, order)
    if "beside" in statuses():
        run()

    assert set(statuses()) == {"decrypt_only", "active"}
    assert not Code.objects.exclude(fingerprint_before=None).exists()
    check_found_and_refused(seven, make_code, buyer, order)


@pytest.mark.parametrize("look", [queries.find_codes, policies.is_held_code])
def test_whoever_read_the_keys_too_early_still_finds_the_code(
    seven: list[Code], look: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(codes: Any) -> list[Fingerprints]:
        monkeypatch.undo()
        asked = fingerprints(codes)
        run()
        return asked

    monkeypatch.setattr(finding, "fingerprints", overtaken)
    assert look(CODES[3]) in ([seven[3]], True)
    assert not look("TST0-LATE-0001")


@pytest.mark.django_db(transaction=True)
def test_no_key_is_added_or_retired_while_somebody_stores_a_code(seven: list[Code]) -> None:
    """Who read the keys and has not committed would store a fingerprint that is compared with nothing later."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time: transactions are IMMEDIATE")
    other = connection.copy()
    with transaction.atomic():
        fingerprints(CODES)
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [keyring.INDEX_KEYS_LOCK])
            assert cursor.fetchone() == (False,)
            cursor.execute("SELECT pg_try_advisory_xact_lock_shared(%s)", [keyring.INDEX_KEYS_LOCK])
            assert cursor.fetchone() == (True,)
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [keyring.INDEX_KEYS_LOCK])
        assert cursor.fetchone() == (True,)
    other.close()


def test_an_index_key_is_never_destroyed(seven: list[Code], admin: User) -> None:
    run()
    key = CryptoKey.objects.get(purpose="bidx", version=1)
    CryptoKey.objects.filter(pk=key.pk).update(retired_at="2026-01-01T00:00:00Z")
    with pytest.raises(Refused, match="made with all index keys"):
        erasing.propose_destruction(by=admin, key=key, reason="It was replaced long ago")
    with pytest.raises(IntegrityError), transaction.atomic():
        keyring.destroy([key.pk])
    assert queries.find_codes(CODES[3]) == [seven[3]]


def test_the_command_replaces_it_and_the_record_says_so(seven: list[Code]) -> None:
    out = StringIO()
    call_command("rotate_keys", Purpose.BIDX.value, stdout=out, stderr=StringIO())

    assert "In use now: bidx key 2; 8 values made anew" in out.getvalue()
    events = AuditEvent.objects.filter(action__startswith="key.").order_by("pk")
    assert [(event.action, event.facts.get("count"), event.subject_label) for event in events] == [
        ("key.replaced", None, "bidx key 2"),
        ("key.values_renewed", 8, "bidx key 2"),
    ]


def test_codes_that_wait_are_sealed_anew_too(seven: list[Code]) -> None:
    assert rotate(Purpose.CODE, progress=lambda done, of: None, wait=None).sealed == 7

    waiting = ImportedCode.objects.get()
    opened = open_sealed(waiting.sealed, purpose=Purpose.CODE, context=waiting.context())
    assert (opened.expose(), left_over(Purpose.CODE)) == (WAITS.replace("-", ""), 0)
