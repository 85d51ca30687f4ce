"""What becomes of codes at the demo's desk: handed over, shown to support for a case, and once to a manager at night."""

from __future__ import annotations

from django.db.models import Count, Q

from procurement.claims.services import cases
from procurement.demo.happenings import ERRORS, History
from procurement.demo.world import Clock
from procurement.orders.custody import Reveal
from procurement.orders.models import Code, Order
from procurement.orders.services.handing_over import hand_over_code, request_file
from procurement.orders.services.revealing import Ask, reveal_code
from procurement.orders.watching import watch_reveal
from procurement.staff.models import User

SHOWN = 2


def stock() -> list[Code]:
    """The stored codes of the newest order that has some to spare."""
    free = Count("codes", filter=Q(codes__state="stored", codes__customer_order=""))
    order = Order.objects.annotate(free=free).filter(free__gt=SHOWN).order_by("-created_at").first()
    return list(order.codes.filter(state="stored", customer_order="").order_by("position")) if order else []


def shown(by: User, code: Code, ground: str, words: str) -> None:
    """One reveal, watched as the worker does; what was opened is dropped."""
    reveal_code(by=by, code=code, ask=Ask(ground, words))
    watch_reveal(str(Reveal.objects.filter(person=by, code=code).latest("at").pk))


def customers_of_the_day(history: History, clock: Clock) -> None:
    """Ben hands codes over; two customers write and Sam looks at their codes; more codes wait to leave in a file."""
    ben, sam = history.people["ben"], history.people["sam"]
    codes = stock()
    for code in codes[:SHOWN]:
        number = f"SHOP-{history.dice.randrange(20000, 90000)}"
        hand_over_code(by=ben, code=code, customer_order=number)
        clock.wait(120)
        case = cases.open_case(by=sam, order=code.order, code=code, customer_order=number, error_text=ERRORS[0])
        cases.take_case(by=sam, case=case)
        shown(sam, code, f"case:{case.pk}", "Compared with the picture the customer sent")
    if codes:
        wanted = [f"SHOP-{history.dice.randrange(20000, 90000)}" for _ in codes[SHOWN:]]
        request_file(by=ben, order=codes[0].order, customer_orders=wanted, reason="Back orders of this morning")


def at_night(history: History, clock: Clock) -> None:
    """A manager looks at a code far outside the working hours: an alert that somebody else looks at."""
    for code in stock()[:1]:
        shown(history.people["mia"], code, f"order:{code.order_id}", "The partner called about this one")
