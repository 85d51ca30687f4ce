"""The steps of a contract probe around its one order: buy, try to buy again, follow it to its code, and claim."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from procurement.onboarding.models import ProbeRun
from procurement.onboarding.steps import (
    NotOffered,
    NotYet,
    StepFailed,
    in_settlement_currency,
    order_of,
    read_money,
    refused_events,
    subject_of,
    the_attempt,
    the_order,
)
from procurement.orders.services import drafting
from procurement.reconciliation.models import Difference
from procurement.reconciliation.services import reconcile_day
from procurement.suppliers.clients import client_for
from procurement.suppliers.clients.types import (
    ClaimReceipt,
    ClaimRefused,
    NotPlaced,
    Placed,
    PlaceRequest,
    Subject,
    Verdict,
)
from procurement.suppliers.models import Exchange, WebhookEvent

# Answers of our own limits: nothing was sent, so the step comes again.
OWN_WAITS = frozenset({"waiting_for_limit", "account_not_live"})


def place_one(run: ProbeRun) -> str:
    """One code is ordered and the supplier takes it; whoever comes here again finds the same order."""
    order = order_of(run)
    if order is None:
        if run.mapping is None:
            raise StepFailed("an earlier step left no mapping to order")
        order = drafting.draft_order(
            by=None, mapping=run.mapping, quantity=1, client_order_id=run.client_order_id, purpose="Contract probe"
        )
    if order.state == "draft" and not order.problem:
        drafting.submit_order(by=None, order=order)
    if order.state in {"approved", "placing", "unknown"}:
        raise NotYet(f"the order is “{order.status.label}”: {order.problem or 'it was not sent'}")
    if not order.remote_id:
        raise StepFailed(f"the order is “{order.status.label}”: {order.problem}")
    return f"{order} taken as {order.remote_id}"


def read_charge(run: ProbeRun) -> str:
    """The balance is read again, so that what the order took from it can be told."""
    the_order(run)
    return read_money(run)


def send_again(run: ProbeRun) -> str:
    """The same order can't be bought twice: by the same key and bytes where there is a key, else by never sending again."""
    attempt, order, client = the_attempt(run), the_order(run), client_for(run.account)
    if not client.idempotent:
        if attempt.tries != 1:
            raise StepFailed(f"the order was sent {attempt.tries} times to a supplier that takes no key")
        return "sent once; this supplier takes no key, so nothing is ever sent again"
    answer = not_waiting(client.place_order(bytes(attempt.body), subject_of(run, "no second purchase")))
    if not isinstance(answer, Placed) or answer.remote_id != order.remote_id:
        raise StepFailed(f"the same key and bytes gave another answer: {in_words(answer)}")
    return f"the same key and bytes gave {answer.remote_id} again"


def not_waiting(answer: Verdict) -> Verdict:
    """The supplier's answer; NotYet while our own limit does not let the bytes go."""
    if isinstance(answer, NotPlaced) and answer.reason_code in OWN_WAITS:
        raise NotYet(answer.sentence, answer.retry_at)
    return answer


def in_words(answer: Verdict) -> str:
    return f"taken as {answer.remote_id}" if isinstance(answer, Placed) else answer.sentence


def change_payload(run: ProbeRun) -> str:
    """The same key with another quantity must not buy anything. Sent once in a run, whatever came of it."""
    return sent_unlike(run, "changed payload", quantity=2, key=the_attempt(run).idempotency_key)


def change_key(run: ProbeRun) -> str:
    """Another key with the same reference must not buy anything either. Sent once in a run."""
    return sent_unlike(run, "changed key", quantity=1, key=f"{the_attempt(run).idempotency_key}-2")


def sent_unlike(run: ProbeRun, step: str, *, quantity: int, key: str) -> str:
    """Ask for the run's order with one thing changed; StepFailed when that bought a second one."""
    order, client, subject = the_order(run), client_for(run.account), subject_of(run, step)
    if not client.idempotent:
        raise NotOffered("this supplier takes no key, so it would be a second purchase")
    if not sent_before(subject):
        body = client.prepare_order(
            PlaceRequest(
                external_id=order.product.external_id,
                region=order.region,
                denomination=order.face_minor,
                face_currency=order.face_currency,
                quantity=quantity,
                client_order_id=order.client_order_id,
                idempotency_key=key,
            )
        )
        not_waiting(client.place_order(body, subject))
    exchange = the_exchange(subject)
    if exchange.outcome not in {"not placed", "unknown"}:
        raise StepFailed(f"it may have been a second purchase: answered {exchange.answer_words}, {exchange.outcome}")
    return f"answered {exchange.answer_words}: nothing was bought"


def sent_before(subject: Subject) -> bool:
    """Whether the run sent this already, by a process that may have died in it: it is not sent again."""
    return Exchange.objects.filter(subject_kind=subject[0], subject_id=subject[1]).exists()


def the_exchange(subject: Subject) -> Exchange:
    return Exchange.objects.filter(subject_kind=subject[0], subject_id=subject[1]).latest("started_at")


def look_up(run: ProbeRun) -> str:
    """The order is found by our reference and in the list of the minutes around it."""
    order, client = the_order(run), client_for(run.account)
    if not client.lists_orders:
        raise NotOffered("this supplier offers no list of orders")
    found = client.find_order(order.client_order_id, subject_of(run, "look-up"))
    if found is None or found.remote_id != order.remote_id:
        raise StepFailed(f"our reference finds {found.remote_id if found else 'no order'}")
    listed = client.list_orders(run.started_at - timedelta(minutes=1), timezone.now() + timedelta(minutes=1)) or ()
    if order.remote_id not in {one.remote_id for one in listed}:
        raise StepFailed(f"the list of the last minutes holds {len(listed)} orders, and not this one")
    return f"our reference finds {found.remote_id}, and so does the list"


def hear_webhook(run: ProbeRun) -> str:
    """The supplier's webhook arrives, its signature holds, and it is applied."""
    order = the_order(run)
    events = WebhookEvent.objects.filter(account=run.account, remote_order_id=order.remote_id)
    event = events.filter(result="applied").first()
    if event:
        return f"{event.event_type} says {event.remote_status}, signature good, applied"
    seen = events.first() or refused_events(run).first()
    if seen:
        raise NotYet(f"an event came but is “{seen.status.label}”")
    raise NotYet("no webhook came; is its address registered?")


def keep_codes(run: ProbeRun) -> str:
    """The code is fetched, sealed and counted, and nothing is wrong with it."""
    order = the_order(run)
    if order.state in {"placed", "paid", "delivered"}:
        raise NotYet("the codes did not come")
    if order.state != "codes_stored":
        raise StepFailed(f"the order is “{order.status.label}”: {order.problem}")
    code = order.codes.get()
    if code.state not in {"stored", "handed_over"}:
        raise StepFailed(f"the code is “{code.status.label}”: {order.problem or code.region}")
    return f"1 of 1 code sealed, shown as ••••-••••-{code.last4}, region {code.region or 'not stated'}"


def reconcile(run: ProbeRun) -> str:
    """The day's books agree with the supplier about this order."""
    order, currency = the_order(run), run.account.settlement_currency
    day = reconcile_day(by=None, account=run.account, currency=currency, day=timezone.now().date())
    found = Difference.objects.filter(day=day, order=order, gone_at__isnull=True).first()
    if found:
        raise StepFailed(found.sentence)
    theirs = "not known" if day.theirs_minor is None else in_settlement_currency(run, day.theirs_minor)
    return f"ours {in_settlement_currency(run, day.ours_minor)}, theirs {theirs}: {day.status.label.lower()}"


def claim(run: ProbeRun) -> str:
    """The code is read once more and claimed for, at suppliers that take claims over the API. Sent once in a run."""
    order, client, subject = the_order(run), client_for(run.account), subject_of(run, "claim")
    if not client.takes_claims:
        raise NotOffered("this supplier takes claims through its support")
    if sent_before(subject):
        exchange = the_exchange(subject)
        if exchange.outcome != "filed":
            raise StepFailed(f"it was sent before the process ended: {exchange.answer_words}, {exchange.outcome}")
        return f"answered {exchange.answer_words}: filed"
    code = client.read_codes(order.remote_id, subject_of(run, "codes again"))[0].code
    answer = client.file_claim(order.remote_id, code, "failed", "Contract probe, please decline.", subject)
    if isinstance(answer, ClaimReceipt):
        return f"filed as {answer.claim_id}, {answer.status}"
    if isinstance(answer, ClaimRefused) and answer.reason_code in OWN_WAITS:
        raise NotYet(answer.sentence, answer.retry_at)
    raise StepFailed(answer.sentence)
