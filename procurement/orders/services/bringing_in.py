"""Codes that came outside the supplier's API: sealed as they arrive, stored once a second person agrees (R37)."""

from __future__ import annotations

import csv
import hashlib
import io
from decimal import Decimal, InvalidOperation

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from ledger.money import parse_amount
from procurement.audit.services import record
from procurement.errors import DomainError, NotAllowed, Refused
from procurement.orders import policies
from procurement.orders.custody import CodeImport, ImportedCode
from procurement.orders.models import Code, Order
from procurement.orders.services.outcomes import settle_cost
from procurement.orders.services.receiving import WELL_FORMED, settle_state, take_in
from procurement.orders.states import CODE_IMPORT, ORDER
from procurement.staff.access import check_can, check_confirms, may
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import transition
from procurement.suppliers.clients.environment import check_code_environment
from procurement.suppliers.clients.types import RemoteCode
from procurement.vault import Fingerprints, Purpose, Secret, fingerprints, last4, normalise_code, open_sealed, seal
from procurement.vault.passphrase import open_with_passphrase

# Ordered, and not all there.
TAKES = ("placed", "paid", "delivered", "partial")


def upload_codes(
    *, by: User, order: Order, content: bytes, source: str, passphrase: Secret | None = None
) -> CodeImport:
    """Read a CSV, or an encrypted delivery file with its passphrase, and keep its codes sealed until another person agrees.

    All lines or none. Raises NotAllowed or Refused, which names lines by number and never what stands on them.
    """
    check_can(by, Permission.CODE_DELIVER)
    check_takes(order)
    source = policies.clean_words(source)
    if len(source) < 10:
        raise Refused("Say in at least 10 characters how the codes came. Nothing was brought in.")
    plain = open_with_passphrase(content, passphrase) if passphrase else content
    remote_codes = read_table(plain, order.face_currency)
    check_count(order, len(remote_codes))
    try:
        with transaction.atomic():
            prints = checked_fingerprints(order, remote_codes)
            batch = CodeImport.objects.create(
                order=order,
                count=len(remote_codes),
                checksum=hashlib.sha256(b"".join(sorted(mine.fingerprint for mine in prints))).hexdigest(),
                source=source,
                uploaded_by=by,
            )
            ImportedCode.objects.bulk_create(
                sealed_row(batch, number, remote, mine)
                for number, (remote, mine) in enumerate(zip(remote_codes, prints, strict=True), 1)
            )
            checksum = batch.checksum[:12]
            record("code_import.uploaded", by=by, subject=batch, reason=source, count=batch.count, checksum=checksum)
    except IntegrityError:
        raise Refused("One of these codes waits in another import already. Nothing was brought in.") from None
    return batch


def check_takes(order: Order) -> None:
    if order.account.environment != settings.ENVIRONMENT:
        raise Refused("This order belongs to the other environment. Nothing was brought in.")
    if order.state not in TAKES:
        raise Refused(f"{order} is “{order.status.label}” and takes no codes. Nothing was brought in.")


def check_count(order: Order, count: int) -> None:
    missing = order.quantity - order.codes.count()
    if not 1 <= count <= missing:
        raise Refused(f"{order} lacks {missing} codes and the file has {count}. Nothing was brought in.")


def read_table(content: bytes, currency: str) -> list[RemoteCode]:
    """The codes of a CSV with a header; columns this project does not know are left alone."""
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error):
        raise Refused(
            "This is no CSV in UTF-8. Nothing was brought in. If it is encrypted, give its passphrase."
        ) from None
    if rows and "code" not in rows[0]:
        raise Refused("The first line must name the columns, one of them “code”. Nothing was brought in.")
    return [read_line(number, row, currency) for number, row in enumerate(rows, 2)]


def read_line(number: int, row: dict[str, str | None], currency: str) -> RemoteCode:
    code = normalise_code(row.get("code") or "")
    if not WELL_FORMED.fullmatch(code):
        raise Refused(f"Line {number} holds no code of 12 letters and digits. Nothing was brought in.")
    stated = (row.get("denomination") or row.get("face") or "").strip()
    try:
        parse_amount(stated or "0", currency)
        denomination = Decimal(stated.replace(",", "")) if stated else None
    except (ValueError, InvalidOperation):
        raise Refused(
            f"The denomination on line {number} is no amount of {currency}. Nothing was brought in."
        ) from None
    region, serial = ((row.get(name) or "").strip() for name in ("region", "serial"))
    return RemoteCode(Secret(code), region=region[:20], denomination=denomination, serial=serial[:100])


def checked_fingerprints(order: Order, remote_codes: list[RemoteCode]) -> list[Fingerprints]:
    """Each code's fingerprints; Refused for one that stands twice, is held already, or is of the other environment."""
    lines: dict[bytes, int] = {}
    prints = fingerprints(remote.code for remote in remote_codes)
    for number, (remote, mine) in enumerate(zip(remote_codes, prints, strict=True), 2):
        try:
            check_code_environment(order.account, remote.code)
        except DomainError:
            raise Refused(f"The code on line {number} is of the other environment. Nothing was brought in.") from None
        for one in mine.both:
            first = lines.setdefault(one, number)
            if first != number:
                raise Refused(f"Line {number} repeats the code of line {first}. Nothing was brought in.")
    for held in Code.objects.filter(fingerprint__in=lines).values_list("fingerprint", flat=True):
        raise Refused(f"The code on line {lines[bytes(held)]} is held already. Nothing was brought in.")
    return prints


def sealed_row(batch: CodeImport, number: int, remote: RemoteCode, mine: Fingerprints) -> ImportedCode:
    row = ImportedCode(
        batch=batch,
        position=number,
        **mine._asdict(),
        last4=last4(remote.code),
        region=remote.region,
        denomination="" if remote.denomination is None else str(remote.denomination),
        serial=remote.serial,
    )
    row.sealed = seal(remote.code, purpose=Purpose.CODE, context=row.context())
    return row


def take_in_import(*, by: User, batch: CodeImport) -> None:
    """Agree with another person's import: its codes are stored like those of a delivery, all or none."""
    check_confirms(by, Permission.CODE_RELEASE)
    if by.pk == batch.uploaded_by_id:
        raise NotAllowed("You brought these codes; another person takes them in. Nothing was stored.")
    with transaction.atomic():
        order = Order.objects.select_related("account").get(pk=batch.order_id)
        check_takes(order)
        check_count(order, batch.count)
        remote_codes = tuple(remote_of(row) for row in batch.codes.order_by("position"))
        decide(by, batch, "taken_in")
        arrive(by, order, batch)
        intake = take_in(order, remote_codes)
        if len(intake.fresh) != batch.count:
            raise Refused("One of these codes came another way meanwhile. Nothing was stored. Decline the import.")
        stored = order.codes.count()
        problem = "; ".join(intake.troubles)[:500] or order.problem
        Order.objects.filter(pk=order.pk).update(delivered_quantity=stored, problem=problem)
        settle_state(order, stored, waited=False)


def arrive(by: User, order: Order, batch: CodeImport) -> None:
    """An order that only waited has delivered now; its claims run from when the codes were here."""
    if order.state in {"placed", "paid"}:
        at = batch.uploaded_at
        transition(order, "delivered", by=by, machine=ORDER, delivered_at=timezone.now(), available_at=at)
    if order.total_cost_minor is None:
        total = settle_cost(order, order.max_total_minor)
        Order.objects.filter(pk=order.pk).update(total_cost_minor=total)


def remote_of(row: ImportedCode) -> RemoteCode:
    opened = open_sealed(row.sealed, purpose=Purpose.CODE, context=row.context())
    denomination = Decimal(row.denomination) if row.denomination else None
    return RemoteCode(opened, region=row.region, denomination=denomination, serial=row.serial)


def decline_import(*, by: User, batch: CodeImport) -> None:
    """Take one's own import back, or disagree with another's: its sealed codes are gone."""
    if by.pk != batch.uploaded_by_id:
        check_can(by, Permission.CODE_RELEASE)
    with transaction.atomic():
        decide(by, batch, "declined")


def decide(by: User, batch: CodeImport, to: str) -> None:
    now, facts = timezone.now(), {"count": batch.count}
    transition(batch, to, by=by, machine=CODE_IMPORT, facts=facts, decided_by=by, decided_at=now)
    batch.codes.all().delete()


def imports_to_decide(user: User) -> list[CodeImport]:
    """Imports that wait for this person, oldest first."""
    if not may(user, Permission.CODE_RELEASE):
        return []
    rows = CodeImport.objects.filter(state="uploaded").exclude(uploaded_by=user).select_related("order")
    return list(rows.order_by("uploaded_at")[:5])
