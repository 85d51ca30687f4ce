"""What we ask of a supplier and what came back: buyers' questions, current price lists, access to the API."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from pathlib import PurePath

from django.db import IntegrityError, transaction
from django.utils import timezone

from procurement.audit.services import record
from procurement.errors import NotAllowed, Refused
from procurement.staff.access import check_can, check_confirms
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import transition
from procurement.suppliers.models import SupplierAccount
from procurement.terms.models import AccessRequest, PriceList, Question
from procurement.terms.states import (
    ACCESS,
    ANSWERED,
    CHECKED,
    IN_REVIEW,
    ISSUED,
    PRICE_LIST,
    QUESTION,
    RECEIVED,
    REFUSED,
    REQUESTED,
)

LARGEST_LIST = 2 * 1024 * 1024
# How a file of each ending begins. A table of text has no beginning of its own; it has no NUL.
LIST_BEGINS = {
    ".pdf": b"%PDF-",
    ".png": b"\x89PNG\r\n\x1a\n",
    ".jpg": b"\xff\xd8\xff",
    ".xlsx": b"PK\x03\x04",
    ".ods": b"PK\x03\x04",
    ".xls": b"\xd0\xcf\x11\xe0",
}
LIST_TEXT = {".csv", ".tsv", ".txt"}
LIST_TYPES = "A table (CSV, TSV, TXT, XLSX, XLS, ODS) or a document (PDF, PNG, JPG)"


def one_line(text: str, longest: int) -> str:
    return " ".join(text.split())[:longest]


def ask_question(*, by: User, account: SupplierAccount, before: str, question: str) -> Question:
    """Write down what must be known before money, engineering time or a promise is committed (R17)."""
    check_can(by, Permission.ACCOUNT_MANAGE, Permission.ORDER_CREATE)
    question = one_line(question, 300)
    if before not in dict(Question.BEFORE) or not question:
        raise Refused("Write the question, and before what it must be answered. Nothing was recorded.")
    try:
        with transaction.atomic():
            made = Question.objects.create(account=account, before=before, question=question, asked_by=by)
            record("question.asked", by=by, subject=made)
    except IntegrityError:
        raise Refused("The same question of this account stands already. Nothing was recorded.") from None
    return made


def answer_question(*, by: User, question: Question, answer: str, control: str) -> None:
    """Note the practical answer and the control to apply; another administrator checks both (R17)."""
    check_can(by, Permission.ACCOUNT_MANAGE)
    answer, control = one_line(answer, 600), one_line(control, 600)
    if not answer or not control:
        raise Refused("An answer names what it means in practice and what we check for it. Nothing was changed.")
    transition(
        question,
        ANSWERED,
        by=by,
        machine=QUESTION,
        facts={"answer": answer},
        answer=answer,
        control=control,
        answered_by=by,
        answered_at=timezone.now(),
        checked_by=None,
        checked_at=None,
    )


def check_question(*, by: User, question: Question) -> None:
    """A second administrator agrees with the answer and has seen its control applied (R17)."""
    check_confirms(by, Permission.ACCOUNT_MANAGE)
    if question.answered_by_id == by.pk:
        raise NotAllowed("You answered this yourself; another administrator checks it. Nothing was changed.")
    transition(question, CHECKED, by=by, machine=QUESTION, checked_by=by, checked_at=timezone.now())


def is_a_list(name: str, content: bytes) -> bool:
    """Whether a price list has one of the endings taken, and is what its ending says."""
    ending = PurePath(name).suffix.lower()
    if ending in LIST_TEXT:
        return b"\x00" not in content
    return ending in LIST_BEGINS and content.startswith(LIST_BEGINS[ending])


def ask_for_price_list(*, by: User, account: SupplierAccount, how: str) -> PriceList:
    """Note that a current price list was asked for, and how: ticket, e-mail, call (R16)."""
    check_can(by, Permission.ACCOUNT_MANAGE)
    how = one_line(how, 200)
    if not how:
        raise Refused("Say how you asked, so that the answer is found: a ticket or an address. Nothing was recorded.")
    with transaction.atomic():
        made = PriceList.objects.create(account=account, asked_how=how, asked_by=by)
        record("price_list.asked", by=by, subject=made, how=how)
    return made


def receive_price_list(
    *, by: User, price_list: PriceList, file_name: str, content: bytes, valid_until: date | None
) -> None:
    """Keep the very file that came, with its SHA-256; it changes no price by itself (R16)."""
    check_can(by, Permission.ACCOUNT_MANAGE)
    if not 0 < len(content) <= LARGEST_LIST:
        raise Refused("The file is empty or larger than 2 MB. Nothing was stored.")
    if not is_a_list(file_name, content):
        raise Refused(f"{LIST_TYPES} is taken, and the file is not what its name says. Nothing was stored.")
    if valid_until is not None and valid_until < timezone.now().date():
        raise Refused("Its last day is over already. Nothing was stored. Ask for a current list.")
    sha256, name = hashlib.sha256(content).hexdigest(), one_line(file_name, 120) or "price list"
    transition(
        price_list,
        RECEIVED,
        by=by,
        machine=PRICE_LIST,
        facts={"file": name, "sha256": sha256},
        received_by=by,
        received_at=timezone.now(),
        valid_until=valid_until,
        file_name=name,
        content=content,
        sha256=sha256,
    )


def prepare_access_request(*, by: User, account: SupplierAccount, fields: Mapping[str, str]) -> AccessRequest:
    """Gather what the supplier's review needs (R110, R111); one request of an account is under way at a time."""
    check_can(by, Permission.ACCOUNT_MANAGE)
    try:
        with transaction.atomic():
            made = AccessRequest.objects.create(account=account, prepared_by=by, **fields)
            record("access.prepared", by=by, subject=made)
    except IntegrityError:
        raise Refused("A request of this account is under way already. Nothing was prepared.") from None
    return made


def send_access_request(*, by: User, request: AccessRequest, ticket: str) -> None:
    """Note the ticket under which the request was sent (R112)."""
    check_can(by, Permission.ACCOUNT_MANAGE)
    ticket = one_line(ticket, 80)
    if not ticket:
        raise Refused("Write the number of the ticket. Nothing was changed.")
    transition(request, REQUESTED, by=by, machine=ACCESS, facts={"ticket": ticket}, ticket=ticket)


def note_access(*, by: User, request: AccessRequest, state: str, answer: str) -> None:
    """Note how far the supplier's manual review is: in review, issued or refused (R109). No clock runs on it (R13)."""
    check_can(by, Permission.ACCOUNT_MANAGE)
    answer = one_line(answer, 300)
    if state not in {IN_REVIEW, ISSUED, REFUSED} or not answer:
        raise Refused("Say what the supplier answered. Nothing was changed.")
    transition(request, state, by=by, machine=ACCESS, facts={"answer": answer}, answer=answer)


def price_list_text(account: SupplierAccount) -> str:
    """A text ready to be sent that asks for a current price list, and for what makes it a quote."""
    return "\n".join(
        [
            "Hello,",
            "",
            f"please send us your current wholesale price list for PlayStation gift-card codes (our account: {account}).",
            "",
            "For each region and denomination we need the price, its currency and the stock.",
            "Please say until when the prices hold, and from which volume they change.",
        ]
    )


def access_text(request: AccessRequest) -> str:
    """The ticket as it is sent: the topic the supplier asks for, and every field of the request (R110 to R112)."""
    return "\n".join(
        [
            "Topic: API Access Request",
            "",
            "Hello,",
            "",
            "we ask for access to your API.",
            "",
            *(f"{label}: {words}" for label, words in request.in_words()),
            "",
            "Please tell us which documents you need to verify us (KYC), and the terms that will hold for our account:",
            "price and stock, delivery target, approval criteria, support scope and response window.",
        ]
    )
