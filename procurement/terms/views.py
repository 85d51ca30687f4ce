"""Pages of the register of terms, of buyers' questions, price lists and API access."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.forms import BaseForm
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_POST

from procurement.audit.queries import timeline_for
from procurement.audit.services import record
from procurement.errors import Missing, Refused
from procurement.staff.access import may, people_with, requires
from procurement.staff.permissions import Permission
from procurement.suppliers.models import SupplierAccount
from procurement.terms import asking, queries, services
from procurement.terms.forms import (
    AccessForm,
    AnswerForm,
    ContradictForm,
    PriceListForm,
    QuestionForm,
    ReceivedForm,
    ReviewForm,
    StatementForm,
    TicketForm,
)
from procurement.terms.kinds import KINDS, kinds_for
from procurement.terms.models import AccessRequest, PriceList, Question, Statement
from procurement.web.exports import FORMATS, file_response, table_response
from procurement.web.http import Request, see_other
from procurement.web.once import once

ASKS = (Permission.ACCOUNT_MANAGE, Permission.ORDER_CREATE)


def done(form: BaseForm, act: Callable[..., Any]) -> bool:
    """Do what a valid form asks for; a refusal is shown with the form."""
    if not form.is_valid():
        return False
    try:
        act(**form.cleaned_data)
    except Refused as refusal:
        form.add_error(None, refusal.sentence)
        return False
    return True


def page(
    request: Request, template: str, account: SupplierAccount, form: BaseForm | None = None, **context: Any
) -> HttpResponse:
    """A page of an account's register, with a form as it was sent or a fresh one."""
    manages = may(request.user, Permission.ACCOUNT_MANAGE)
    facts = {"account": account, "form": form, "may_manage": manages, **context}
    return render(request, f"terms/{template}.html", facts, status=422 if form is not None and form.errors else 200)


@requires(Permission.ACCOUNT_VIEW)
@require_GET
def account_terms(request: Request, pk: uuid.UUID) -> HttpResponseBase:
    """What is confirmed of an account, what is not, and what holds until then (R11, R12, R13)."""
    account = get_object_or_404(SupplierAccount, pk=pk)
    lines = queries.standing(account)
    if request.GET.get("format") in FORMATS:
        record("export.made", by=request.user, subject=request.user, what=f"terms of {account}", rows=len(lines))
        name = f"terms of {account.code}"
        return table_response(request, name, queries.COLUMNS, lines, f"supplier account: {account}")
    groups, waiting = queries.grouped(lines), queries.questions_left(account)
    return page(request, "account_terms", account, groups=groups, counts=queries.counts(lines), waiting=waiting)


@requires(Permission.ACCOUNT_VIEW)
@once
def account_term(request: Request, pk: uuid.UUID, kind: str) -> HttpResponse:
    """One kind: what was said of it, by whom, where; record, confirm and contradict (R12)."""
    account = get_object_or_404(SupplierAccount, pk=pk)
    if KINDS.get(kind) not in kinds_for(account):
        raise Missing("There is no such term. Nothing was changed. Choose one from the register.")
    form = StatementForm(request.POST or None, kind=KINDS[kind])

    def act(**said: Any) -> None:
        services.record_statement(by=request.user, account=account, kind=kind, said=services.Said(**said))

    if request.method == "POST" and done(form, act):
        messages.success(request, "Recorded. It holds once another administrator has confirmed it.")
        return see_other(request, "terms:account_term", pk=account.pk, kind=kind)
    history = queries.history(account, kind)
    context = {
        "line": queries.line_of(account, kind),
        "history": history,
        "entries": timeline_for(*history) if history else [],
        "contradict": ContradictForm(),
        "others": people_with(Permission.ACCOUNT_MANAGE, but=history[0].recorded_by if history else None),
    }
    return page(request, "account_term", account, form, **context)


def back_to(request: Request, statement: Statement) -> HttpResponse:
    return see_other(request, "terms:account_term", pk=statement.account_id, kind=statement.kind)


def statement_at(pk: uuid.UUID) -> Statement:
    return get_object_or_404(Statement.objects.select_related("account", "recorded_by"), pk=pk)


@requires(Permission.ACCOUNT_MANAGE)
@require_POST
@once
def statement_confirm(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Confirm what another administrator recorded."""
    statement = statement_at(pk)
    services.confirm_statement(by=request.user, statement=statement)
    messages.success(request, "Confirmed. It holds from now on.")
    return back_to(request, statement)


@requires(Permission.ACCOUNT_MANAGE)
@require_POST
@once
def statement_contradict(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Note that it is not so."""
    statement = statement_at(pk)
    services.contradict_statement(by=request.user, statement=statement, reason=request.POST.get("reason", ""))
    messages.success(request, "Noted. It holds no more.")
    return back_to(request, statement)


@requires(Permission.ACCOUNT_VIEW)
@once
def account_questions(request: Request, pk: uuid.UUID) -> HttpResponse:
    """What is to be checked before money, engineering time or a promise is committed; ask another question (R17)."""
    account = get_object_or_404(SupplierAccount, pk=pk)
    form = QuestionForm(request.POST or None)

    def act(**fields: str) -> None:
        asking.ask_question(by=request.user, account=account, **fields)

    if request.method == "POST" and done(form, act):
        messages.success(request, "Asked. An administrator answers it, and another one checks the answer.")
        return see_other(request, "terms:account_questions", pk=account.pk)
    context = {"questions": queries.questions_of(account), "may_ask": may(request.user, *ASKS)}
    return page(request, "account_questions", account, form, **context)


@requires(Permission.ACCOUNT_MANAGE)
@once
def question_answer(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Answer a question, or answer it anew."""
    question = get_object_or_404(Question.objects.select_related("account"), pk=pk)
    form = AnswerForm(request.POST or None, initial={"answer": question.answer, "control": question.control})

    def act(**fields: str) -> None:
        asking.answer_question(by=request.user, question=question, **fields)

    if request.method == "POST" and done(form, act):
        messages.success(request, "Answered. Another administrator checks it.")
        return see_other(request, "terms:account_questions", pk=question.account_id)
    return page(request, "question_answer", question.account, form, question=question, entries=timeline_for(question))


@requires(Permission.ACCOUNT_MANAGE)
@require_POST
@once
def question_check(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Agree with an answer another administrator gave."""
    question = get_object_or_404(Question, pk=pk)
    asking.check_question(by=request.user, question=question)
    messages.success(request, "Checked.")
    return see_other(request, "terms:account_questions", pk=question.account_id)


@requires(Permission.ACCOUNT_VIEW)
@once
def account_prices(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Price lists asked for and received; the text that asks for one (R16)."""
    account = get_object_or_404(SupplierAccount, pk=pk)
    form = PriceListForm(request.POST or None)

    def act(how: str) -> None:
        asking.ask_for_price_list(by=request.user, account=account, how=how)

    if request.method == "POST" and done(form, act):
        messages.success(request, "Noted. Add the list here once it comes.")
        return see_other(request, "terms:account_prices", pk=account.pk)
    lists, text = queries.price_lists_of(account), asking.price_list_text(account)
    return page(request, "account_prices", account, form, lists=lists, text=text)


@requires(Permission.ACCOUNT_MANAGE)
@once
def price_receive(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Keep the price list that came (R16)."""
    price_list = get_object_or_404(PriceList.objects.select_related("account").defer("content"), pk=pk)
    form = ReceivedForm(request.POST or None, request.FILES or None)

    def act(file: Any, valid_until: Any) -> None:
        asking.receive_price_list(
            by=request.user, price_list=price_list, file_name=file.name, content=file.read(), valid_until=valid_until
        )

    if request.method == "POST" and done(form, act):
        messages.success(request, "Kept, with its SHA-256. No price was changed by it.")
        return see_other(request, "terms:account_prices", pk=price_list.account_id)
    return page(request, "price_receive", price_list.account, form, price_list=price_list)


@requires(Permission.ACCOUNT_VIEW)
@require_GET
def price_file(request: Request, pk: uuid.UUID) -> HttpResponseBase:
    """The very file that came, as an attachment."""
    price_list = get_object_or_404(PriceList.objects.exclude(sha256=""), pk=pk)
    return file_response(bytes(price_list.content), name=price_list.file_name)


@requires(Permission.ACCOUNT_VIEW)
@once
def account_access(request: Request, pk: uuid.UUID) -> HttpResponse:
    """How far access to the API is, the ticket's text, and a new request (R109 to R112)."""
    account = get_object_or_404(SupplierAccount, pk=pk)
    form = AccessForm(request.POST or None)

    def act(**fields: str) -> None:
        asking.prepare_access_request(by=request.user, account=account, fields=fields)

    if request.method == "POST" and done(form, act):
        messages.success(request, "Prepared. Send the text as a ticket, and note its number here.")
        return see_other(request, "terms:account_access", pk=account.pk)
    return page(
        request, "account_access", account, form, ticket=TicketForm(), review=ReviewForm(), **queries.access_of(account)
    )


@requires(Permission.ACCOUNT_MANAGE)
@require_POST
@once
def access_note(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Note the ticket of a request that was sent, or how far the supplier's review is."""
    found = get_object_or_404(AccessRequest.objects.select_related("account"), pk=pk)
    sent = request.POST
    if found.is_sent:
        state, answer = sent.get("state", ""), sent.get("answer", "")
        asking.note_access(by=request.user, request=found, state=state, answer=answer)
    else:
        asking.send_access_request(by=request.user, request=found, ticket=sent.get("ticket", ""))
    messages.success(request, f"Noted: {found.status.label.lower()}.")
    return see_other(request, "terms:account_access", pk=found.account_id)
