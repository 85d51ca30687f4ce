"""Codes leave for customers: one by one, or many in an encrypted file that two people stand for (R65)."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone

from ledger.money import format_amount
from procurement.audit.services import record
from procurement.errors import NotAllowed, Refused, StaleState, Unavailable
from procurement.orders import policies
from procurement.orders.custody import DeliveryFile, DeliveryLine
from procurement.orders.models import Code, Order
from procurement.orders.states import CODE, DELIVERY_FILE
from procurement.staff.access import check_can, check_confirms
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import transition
from procurement.vault import KeyUnavailable, Purpose, SealBroken, Secret, open_sealed
from procurement.vault.passphrase import seal_with_passphrase
from procurement.web.exports import safe_cell

MOST_IN_A_FILE = 200
RELEASE_LASTS = timedelta(hours=24)
SHORTEST_PASSPHRASE = 16
COLUMNS = ("customer_order", "code", "region", "face", "currency", "order", "serial")


def hand_over_code(*, by: User, code: Code, customer_order: str) -> None:
    """Assign one stored code to a customer order; nobody sees it. Raises NotAllowed, Refused or StaleState."""
    check_can(by, Permission.CODE_DELIVER)
    customer_order = policies.check_customer_order(customer_order)
    check_environment(code.order)
    if code.customer_order not in {"", customer_order}:
        raise Refused(f"This code is kept for the customer order {code.customer_order}. It was not handed over.")
    give(by, code, customer_order)


def give(by: User, code: Code, customer_order: str) -> None:
    transition(
        code,
        "handed_over",
        by=by,
        machine=CODE,
        facts={"customer_order": customer_order},
        customer_order=customer_order,
        handed_over_at=timezone.now(),
    )


def check_environment(order: Order) -> None:
    if order.account.environment != settings.ENVIRONMENT:
        raise Refused("These codes belong to the other environment. Nothing was handed over.")


def request_file(*, by: User, order: Order, customer_orders: Sequence[str], reason: str) -> DeliveryFile:
    """Ask for a file with one code of `order` for each customer order; no code moves yet.

    A customer order that has a code of this order already gets the same one again, for a file that was lost.
    """
    check_can(by, Permission.CODE_DELIVER)
    check_environment(order)
    wanted = [policies.check_customer_order(text) for text in customer_orders if text.strip()]
    reason = policies.clean_words(reason)
    if not 1 <= len(wanted) <= MOST_IN_A_FILE:
        raise Refused(f"Name 1 to {MOST_IN_A_FILE} customer orders, one on each line. Nothing was asked for.")
    if len(reason) < 10:
        raise Refused("Say in at least 10 characters what the file is for. Nothing was asked for.")
    with transaction.atomic():
        chosen = choose(order, wanted)
        file = DeliveryFile.objects.create(order=order, count=len(chosen), reason=reason, requested_by=by)
        DeliveryLine.objects.bulk_create(
            DeliveryLine(file=file, code=code, customer_order=text) for text, code in zip(wanted, chosen, strict=True)
        )
        record("delivery_file.requested", by=by, subject=file, reason=reason, count=file.count, order=str(order))
    return file


def choose(order: Order, wanted: Sequence[str]) -> list[Code]:
    """A code for each customer order: the one it has already, else the next that is stored and asked for by no other file."""
    given: dict[str, list[Code]] = {}
    for code in order.codes.filter(state="handed_over", customer_order__in=wanted).order_by("position"):
        given.setdefault(code.customer_order, []).append(code)
    asked_for = DeliveryLine.objects.filter(file__state__in=("requested", "released")).values("code")
    free = list(order.codes.filter(state="stored", customer_order="").exclude(pk__in=asked_for).order_by("position"))
    needed = sum(max(0, wanted.count(text) - len(given.get(text, []))) for text in set(wanted))
    if needed > len(free):
        raise Refused(
            f"{order} has {len(free)} codes that are free, and {needed} are needed. Nothing was asked for. Name fewer customer orders."
        )
    return [given[text].pop(0) if given.get(text) else free.pop(0) for text in wanted]


def release_file(*, by: User, file: DeliveryFile) -> None:
    """A second person lets the codes go, for 24 hours; who asked may then fetch the file."""
    check_confirms(by, Permission.CODE_RELEASE)
    if by.pk == file.requested_by_id:
        raise NotAllowed("You asked for this file; another person releases it. Nothing was released.")
    decide(by, file, "released")


def decline_file(*, by: User, file: DeliveryFile) -> None:
    """Take one's own request back, or disagree with another's: no code leaves."""
    if by.pk != file.requested_by_id:
        check_can(by, Permission.CODE_RELEASE)
    decide(by, file, "declined")


def decide(by: User, file: DeliveryFile, to: str) -> None:
    now, facts = timezone.now(), {"count": file.count}
    transition(file, to, by=by, machine=DELIVERY_FILE, facts=facts, decided_by=by, decided_at=now)


def fetch_file(*, by: User, file: DeliveryFile, passphrase: Secret) -> bytes:
    """The encrypted file, once, for who asked. That it was fetched and whom each code went to is committed before any is opened.

    Raises NotAllowed, Refused, StaleState or Unavailable; then no file was made.
    """
    check_can(by, Permission.CODE_DELIVER)
    if by.pk != file.requested_by_id:
        raise NotAllowed("Who asked for the file fetches it. No file was made.")
    if len(passphrase.expose()) < SHORTEST_PASSPHRASE:
        raise Refused(f"The passphrase needs at least {SHORTEST_PASSPHRASE} characters. No file was made.")
    check_environment(file.order)
    if file.state == "released" and file.decided_at and file.decided_at < timezone.now() - RELEASE_LASTS:
        raise Refused("The release is older than 24 hours. No file was made. Take the file back and ask anew.")
    lines = list(file.lines.select_related("code__order").order_by("id"))
    try:
        with transaction.atomic(durable=True):
            facts = {"count": file.count}
            transition(file, "fetched", by=by, machine=DELIVERY_FILE, facts=facts, fetched_at=timezone.now())
            for line in lines:
                hand_over_line(by, line)
    except DatabaseError as error:
        raise Unavailable("The record could not be written, so no file was made. Try again.") from error
    return make_file(file, lines, passphrase)


def hand_over_line(by: User, line: DeliveryLine) -> None:
    """A stored code goes to its customer order; one that went there before goes again."""
    code = line.code
    if (code.state, code.customer_order) == ("stored", ""):
        give(by, code, line.customer_order)
    elif (code.state, code.customer_order) != ("handed_over", line.customer_order):
        raise StaleState(
            f"The {code} is “{code.status.label}” by now. No file was made. Take the file back and ask anew."
        )


def make_file(file: DeliveryFile, lines: Sequence[DeliveryLine], passphrase: Secret) -> bytes:
    try:
        blob = seal_with_passphrase(table_of(lines), passphrase)
    except (KeyUnavailable, SealBroken) as error:
        record("delivery_file.failed", by=None, subject=file)
        raise Unavailable(
            "A code could not be opened, so no file was made. Its customer orders keep their codes; ask for the file anew."
        ) from error
    digest = hashlib.sha256(blob).hexdigest()
    with transaction.atomic():
        DeliveryFile.objects.filter(pk=file.pk).update(sha256=digest)
        record("delivery_file.made", by=None, subject=file, count=file.count, sha256=digest)
    return blob


def table_of(lines: Sequence[DeliveryLine]) -> bytes:
    """The lines as CSV in UTF-8, a header first; the only place where many codes stand together, in memory."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in lines:
        code, order = line.code, line.code.order
        opened = open_sealed(code.sealed, purpose=Purpose.CODE, context=code.context())
        face = format_amount(order.face_minor, order.face_currency)
        region = code.region or order.region
        writer.writerow(
            [
                line.customer_order,
                opened.expose(),
                region,
                face,
                order.face_currency,
                str(order),
                safe_cell(code.serial),
            ]
        )
    return out.getvalue().encode()


def files_to_release(user: User) -> int:
    """How many delivery files wait for this person."""
    return DeliveryFile.objects.filter(state="requested").exclude(requested_by=user).count()
