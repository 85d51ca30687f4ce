"""Rows for the scratch database: any number of orders over sixty days, with everything that hangs on them.

Rows are written in bulk, past the services, which would take hours; the database's own constraints and guards hold.
Everything follows from the order's number, so that two runs measure the same rows.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import islice

from django.db import connection, transaction

from ledger.guards import lifted
from procurement.demo.bench.books import Books
from procurement.demo.bench.evidence import write_days, write_evidence
from procurement.demo.bench.orders import DAYS, write_orders
from procurement.demo.bench.shop import Shop, open_shop
from procurement.orders.guards import RULES

CHUNK = 2000
GUARDED = {rule.table for rule in RULES}


def fill(orders: int) -> Shop:
    """The shop and its `orders`, oldest first, the latest of them minutes ago; the catalogue grows to 240 cards."""
    shop = open_shop(orders)
    books = Books(shop.accounts, shop.ends - timedelta(days=DAYS + 1), orders)
    numbers = iter(range(orders))
    do_not_wait_for_the_disk()
    # Rows are written as they would have become, which no desk may do.
    with lifted(connection, GUARDED):
        while chunk := list(islice(numbers, CHUNK)):
            with transaction.atomic():
                made = write_orders(shop, chunk, orders)
                write_evidence(shop, made)
                books.write(made)
    write_days(shop, min(DAYS, orders))
    settle_down()
    return shop


def do_not_wait_for_the_disk() -> None:
    """A scratch database that a crash destroys is made again."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous=OFF")


def settle_down() -> None:
    """What time does on a server by itself: PostgreSQL gathers statistics; requests open connections of their own."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    connection.close()
