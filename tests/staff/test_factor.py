"""The second factor: six digits of an app, each taken once, and recovery codes for a lost phone."""

from __future__ import annotations

import base64
import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import segno
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.errors import Refused
from procurement.staff import factor, tries
from procurement.staff.factor import APP, RECOVERY, WrongCode, check, has_factor
from procurement.staff.models import Factor, Misses, RecoveryCode, User
from procurement.staff.tries import TooManyTries
from procurement.vault import SealBroken
from tests.at_desk import Desk
from tests.staff.apps_of_people import SEED, Phone, seed_in, with_phone

pytestmark = pytest.mark.django_db

# RFC 6238, appendix B, SHA-1: eight digits, of which an app shows the last six.
RFC_SEED = b"12345678901234567890"
RFC_CODES = [
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
]


def actions() -> list[str]:
    return list(AuditEvent.objects.filter(action__startswith="user.").order_by("id").values_list("action", flat=True))


@pytest.mark.parametrize(("at", "digits"), RFC_CODES)
def test_codes_are_those_of_the_rfc(at: int, digits: str) -> None:
    assert factor.code_at(RFC_SEED, at // 30) == digits[-6:]


@pytest.mark.requirement("R63")
def test_a_code_is_taken_once_and_none_before_it_afterwards(support: User) -> None:
    phone = with_phone(support)
    code = phone.code()

    assert check(support, code) == APP
    for spent in (code, phone.code(-1)):
        with pytest.raises(WrongCode):
            check(support, spent)
    assert check(support, phone.code(1)) == APP


@pytest.mark.parametrize("steps", [-3, -2, 2, 3])
def test_a_code_over_a_step_away_is_not_taken(support: User, steps: int) -> None:
    phone = with_phone(support)
    Factor.objects.update(last_step=0)

    with pytest.raises(WrongCode):
        check(support, phone.code(steps))

    assert Factor.objects.get().last_step == 0


def test_two_who_send_the_same_code_at_once_do_not_both_get_in(support: User, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = with_phone(support)
    code = phone.code()
    twin: list[str | None] = []
    compare = factor.same

    def while_the_other_is_first(one: bytes, other: bytes) -> bool:
        if not twin:
            twin.append(None)
            twin[0] = check(support, code)
        return compare(one, other)

    monkeypatch.setattr(factor, "same", while_the_other_is_first)

    with pytest.raises(WrongCode):
        check(support, code)
    assert twin == [APP]


@pytest.mark.requirement("R62")
def test_the_seed_is_sealed_for_its_row(support: User, manager: User) -> None:
    phone = with_phone(support)
    other = factor.begin(by=manager)
    mine = Factor.objects.get(user=support)
    assert phone.seed not in bytes(mine.seed_sealed)

    Factor.objects.filter(pk=other.pk).update(seed_sealed=mine.seed_sealed)

    with pytest.raises(SealBroken):
        factor.to_scan(Factor.objects.get(pk=other.pk))


def test_a_recovery_code_works_once_however_it_is_typed(support: User) -> None:
    phone = with_phone(support)
    assert len(set(phone.recovery)) == 10
    # 24 letters of base32: enough that a plain hash of one can't be turned back.
    assert {len(code.replace(" ", "")) * 5 for code in phone.recovery} == {120}
    code = phone.recovery[3]

    assert check(support, code.lower().replace(" ", "-")) == RECOVERY
    with pytest.raises(WrongCode):
        check(support, code)

    assert RecoveryCode.objects.filter(used_at__isnull=True).count() == 9


@pytest.mark.requirement("R62")
def test_recovery_codes_are_kept_as_hashes_of_their_person(support: User, manager: User) -> None:
    code = with_phone(support).recovery[0]
    with_phone(manager)

    with connection.cursor() as cursor:
        cursor.execute("SELECT digest FROM staff_recoverycode")
        kept = [bytes(digest) for (digest,) in cursor.fetchall()]
    assert {len(digest) for digest in kept} == {32}
    with pytest.raises(WrongCode):
        check(manager, code)


def test_new_recovery_codes_void_those_before(support: User) -> None:
    phone = with_phone(support)
    fresh = factor.new_recovery_codes(by=support)

    with pytest.raises(WrongCode):
        check(support, phone.recovery[0])
    assert check(support, fresh[0]) == RECOVERY


def test_an_app_counts_only_from_its_first_code_on(support: User) -> None:
    phone = with_phone(support)
    begun = factor.begin(by=support)
    later = Phone(seed_in(factor.to_scan(begun).seed), [])

    with pytest.raises(WrongCode):
        check(support, later.code())
    assert check(support, phone.code(0)) == APP

    factor.confirm(by=support, code=later.code())
    with pytest.raises(WrongCode):
        check(support, phone.code(1))
    assert check(support, later.code(1)) == APP


def test_a_set_up_left_lying_ends_after_a_quarter_of_an_hour(support: User) -> None:
    phone = Phone(seed_in(factor.to_scan(factor.begin(by=support)).seed), [])

    with time_machine.travel(timezone.now() + timedelta(minutes=16)), pytest.raises(Refused, match="Begin again"):
        factor.confirm(by=support, code=phone.code())

    assert not has_factor(support)


def test_guessing_is_slowed_and_a_try_too_early_is_not_looked_at(support: User) -> None:
    phone = with_phone(support)
    for _ in range(tries.PROOF.free):
        with pytest.raises(WrongCode):
            check(support, "000 000")

    with pytest.raises(TooManyTries, match=r"was not looked at\. Wait"):
        check(support, phone.code())

    assert Misses.objects.get().count == tries.PROOF.free
    with time_machine.travel(timezone.now() + tries.PROOF.first):
        assert check(support, phone.code()) == APP
    assert not Misses.objects.exists()


def test_each_wait_is_twice_the_one_before_up_to_the_longest() -> None:
    waits = [tries.PROOF.wait_after(misses).total_seconds() for misses in range(4, 13)]

    assert waits == [0, 30, 60, 120, 240, 480, 900, 900, 900]


# The pages


def test_setting_up_an_app_at_the_desk(support: User) -> None:
    desk = Desk(support)
    shown = desk.send(desk.open("staff:factor").form("begin"))
    phone = Phone(seed_in(shown.text), [])
    assert "otpauth://totp/Countersign" in shown.html
    assert not has_factor(support)

    wrong = desk.send(shown.form(), status=422, proof="123")
    assert "This code is wrong" in wrong.text
    assert not has_factor(support)

    done = desk.send(shown.form(), status=200, proof=phone.code())
    codes = [code for code in done.reader.words if len(code) == 29 and code.isupper()]
    assert len(codes) == 10
    assert has_factor(support)
    assert actions() == ["user.factor_set_up"]
    assert re.search(SEED, shown.text)
    assert not re.search(SEED, desk.open("staff:factor").text)


def modules(html: str) -> set[tuple[int, int]]:
    """The dark squares, as (row, column) without the margin, that the page's picture draws: a path of runs and jumps."""
    path = re.search(r'<svg viewBox="[\d ]+" class="qr">.*<path stroke="#000" d="([^"]+)"/></svg>', html)
    assert path, html
    dark, row, column = set(), 0.0, 0
    for step, numbers in re.findall(r"([Mmh])([-\d. ]+)", path[1]):
        across, *down = (float(number) for number in numbers.split())
        if step == "h":
            dark |= {(int(row) - 4, at - 4) for at in range(column, column + int(across))}
        row = down[0] if step == "M" else row + sum(down)
        column = int(across) if step == "M" else column + int(across)
    return dark


def test_the_picture_to_scan_says_what_the_text_and_the_link_say_and_is_gone_with_them(support: User) -> None:
    desk = Desk(support)
    shown = desk.send(desk.open("staff:factor").form("begin"))
    seed = base64.b32encode(seed_in(shown.text)).decode()
    wanted = f"otpauth://totp/Countersign%3Asam_support%40127.0.0.1?secret={seed}&issuer=Countersign"
    other = wanted.replace(seed, base64.b32encode(RFC_SEED).decode())

    def squares(text: str) -> set[tuple[int, int]]:
        code = segno.make_qr(text, error="m").matrix
        return {(row, column) for row, line in enumerate(code) for column, is_dark in enumerate(line) if is_dark}

    assert modules(shown.html) == squares(wanted) != squares(other)
    assert wanted in unescape(shown.html)
    assert re.search(r'viewBox="0 0 (\d+) \1" class="qr"><path fill="#fff" d="M0 0h\1v\1h-\1z"/>', shown.html)
    assert 'role="img" aria-label="QR code' in shown.html
    assert "no-store" in shown.response["Cache-Control"]
    assert seed not in str(desk.client.session.items()) + shown.response.wsgi_request.get_full_path()

    desk.send(shown.form(), status=200, proof=Phone(seed_in(shown.text), []).code())
    after = desk.open("staff:factor").html
    assert 'class="qr"' not in after
    assert "otpauth:" not in after


@pytest.mark.requirement("R62")
def test_neither_seed_nor_recovery_codes_are_kept_in_the_session(support: User) -> None:
    desk = Desk(support)
    shown = desk.send(desk.open("staff:factor").form("begin"))
    phone = Phone(seed_in(shown.text), [])
    done = desk.send(shown.form(), status=200, proof=phone.code())
    code = next(code for code in done.reader.words if len(code) == 29 and code.isupper())

    kept = str(dict(desk.client.session.items()))
    assert code not in kept
    assert not any(part in kept for part in shown.text.split() if len(part) == 4 and part.isupper() and part != "UTC")
    assert "no-store" in done.response["Cache-Control"]


def test_another_app_needs_the_one_before(support: User) -> None:
    phone = with_phone(support)
    desk = Desk(support)

    asked = desk.send(desk.open("staff:factor").form("begin"))

    assert asked.text.count("Is it you?")
    assert Factor.objects.count() == 1
    back = desk.send(asked.form("confirm"), proof=phone.code())
    shown = desk.send(back.form("begin"))
    later = Phone(seed_in(shown.text), [])
    desk.send(shown.form(), status=200, proof=later.code())
    assert check(support, later.code(1)) == APP


def test_a_key_being_set_up_is_not_shown_to_whoever_finds_the_screen_later(support: User) -> None:
    phone = with_phone(support)
    desk = Desk(support)
    asked = desk.send(desk.open("staff:factor").form("begin"))
    desk.send(desk.send(asked.form("confirm"), proof=phone.code()).form("begin"))

    with time_machine.travel(timezone.now() + timedelta(minutes=6)):
        away = desk.open("staff:factor", status=303)

    assert "/me/confirm/" in away.location


def test_where_a_factor_is_demanded_nobody_gets_further_without(support: User, settings: Any) -> None:
    settings.FACTOR_REQUIRED = True
    desk = Desk(support)

    for name in ("overview", "orders:order_list", "staff:settings"):
        assert desk.open(name, status=303).location == "/me/factor/"
    page = desk.open("staff:factor")
    assert "Nobody works here with a password alone" in page.text

    shown = desk.send(page.form("begin"))
    desk.send(shown.form(), status=200, proof=Phone(seed_in(shown.text), []).code())
    desk.open("overview")


def test_a_session_without_the_factor_must_give_it_where_it_is_demanded(support: User, settings: Any) -> None:
    phone = with_phone(support)
    settings.FACTOR_REQUIRED = True
    desk = Desk(support)

    asked = desk.open(desk.open("orders:order_list", status=303).location)
    assert desk.send(asked.form("confirm"), proof=phone.code()).response.wsgi_request.path == "/orders/"


def test_a_lost_factor_is_removed_from_the_command_line(support: User, capsys: Any) -> None:
    with_phone(support)

    call_command("remove_factor", "sam_support", "--reason=Seen in person, new phone")

    assert not has_factor(support)
    assert not RecoveryCode.objects.exists()
    event = AuditEvent.objects.get(action="user.factor_removed")
    assert (event.actor, event.reason) == (None, "Seen in person, new phone")
    for name in ("sam_support", "nobody"):
        with pytest.raises(CommandError, match="Nothing was removed"):
            call_command("remove_factor", name, "--reason=x")
