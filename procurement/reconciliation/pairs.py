"""Our orders of a day beside the supplier's records, paired by the database: very many agree, and only the others are read.

What agrees here is equal in every column that a rule of `differences` looks at, so that no rule finds anything in it. It
may say too seldom that a pair agrees: then the rules look at it. It must never say so too often.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from ledger.sending import id_value, time_value
from procurement.bookkeeping.balances import purchases_sql
from procurement.reconciliation.models import SupplierRecord
from procurement.reconciliation.window import Window

# The id of an order by its text in the ledger, which has hyphens; NULL if it is none.
ORDER_ID = {
    "sqlite": "replace(b.order_id, '-', '')",
    "postgresql": "CASE WHEN b.order_id ~ '^[0-9a-f-]{36}$' THEN CAST(b.order_id AS uuid) END",
}
JOINED = """
WITH bought(entry_id, order_id, cost) AS ({bought}), pairs AS (
  SELECT {columns}
  FROM bought b
  JOIN orders_order o ON o.id = {order_id}
  LEFT JOIN reconciliation_supplierrecord r ON r.account_id = %s AND r.remote_id = o.remote_id)
"""
VERDICT = """b.order_id, b.cost, o.remote_id, CASE
  WHEN r.remote_id IS NULL THEN 'unread'
  WHEN NOT r.missing AND r.client_order_id IN ('', o.client_order_id)
    AND r.created_at >= %s AND r.created_at < %s
    AND r.currency = %s AND r.total_minor = b.cost AND COALESCE(r.refunded_minor, o.refunded_minor) = o.refunded_minor
    AND (o.state, r.status) = ('codes_stored', 'delivered')
    AND o.delivered_quantity = o.quantity AND COALESCE(r.delivered_quantity, o.quantity) = o.quantity
    AND (SELECT SUM(f.count) FROM orders_delivery f WHERE f.order_id = o.id) = o.quantity
    AND {apart}
  THEN 'agrees' ELSE 'differs' END AS verdict"""
# One statement, so that all of it is of one moment.
COMPARED = """
SELECT verdict, NULL, COUNT(*), SUM(cost) FROM pairs WHERE verdict <> 'differs' GROUP BY verdict
UNION ALL SELECT verdict, order_id, NULL, NULL FROM pairs WHERE verdict = 'differs'
UNION ALL SELECT 'listed', remote_id, NULL, NULL FROM ({listed} EXCEPT SELECT remote_id FROM pairs WHERE verdict = 'agrees') l
"""
TO_READ = """
SELECT remote_id FROM pairs
WHERE remote_id <> '' AND (read_at IS NULL OR (read_at < %s AND (missing OR NOT %s)))
ORDER BY read_at IS NOT NULL, read_at, entry_id LIMIT %s
"""
# More values than a statement should carry.
MOST_APART = 2000


@dataclass(frozen=True)
class Pairs:
    """How many orders agree and what they cost, how many nobody read at the supplier, and which are to be looked at.

    `differing` are ids of our orders as text; `listed` the supplier's ids of its orders of the day but those that agree.
    """

    agreed: int
    agreed_minor: int
    unread: int
    differing: list[str]
    listed: list[str]


def read_pairs(window: Window, apart: Collection[str]) -> Pairs:
    """The day's pairs. The orders of `apart`, by their id as text, agree in no case: something else speaks against them."""
    listed, listed_values = listed_sql(window)
    named, values = apart_sql(apart)
    columns, day = VERDICT.format(apart=named), [time_value(window.start), time_value(window.end)]
    rows = fetch(window, columns, [*day, window.currency, *values], COMPARED.format(listed=listed), listed_values)
    sums = {verdict: (count, int(minor)) for verdict, _, count, minor in rows if count}
    return Pairs(
        *sums.get("agrees", (0, 0)),
        unread=sums.get("unread", (0, 0))[0],
        differing=[name for verdict, name, *_ in rows if verdict == "differs"],
        listed=[name for verdict, name, *_ in rows if verdict == "listed"],
    )


def ids_to_read(window: Window, stale: datetime, *, listed: bool, most: int) -> list[str]:
    """The supplier's ids of orders bought that day that nobody read since `stale`, those first that nobody read at all.

    Where there is a list, what it named was read, and else only what was missing is read again.
    """
    columns = "b.entry_id, o.remote_id, r.read_at, r.missing"
    return [name for (name,) in fetch(window, columns, [], TO_READ, [time_value(stale), listed, most])]


def fetch(window: Window, columns: str, values: list[Any], statement: str, others: list[Any]) -> list[Any]:
    """The rows of a statement over the pairs, each with these columns."""
    bought, bounds = purchases_sql(window.account.code, window.currency, window.start, window.cutoff)
    joined = JOINED.format(bought=bought, columns=columns, order_id=ORDER_ID[connection.vendor])
    with connection.cursor() as cursor:
        cursor.execute(joined + statement, [*bounds, *values, id_value(window.account.pk), *others])
        return cursor.fetchall()


def listed_sql(window: Window) -> tuple[str, list[Any]]:
    """The ids of the supplier's orders of the day and currency that it named."""
    rows = SupplierRecord.objects.filter(account=window.account, currency=window.currency, missing=False)
    rows = rows.filter(created_at__gte=window.start, created_at__lt=window.cutoff)
    sql, values = rows.values_list("remote_id").query.sql_with_params()
    return sql, [*values]


def apart_sql(apart: Collection[str]) -> tuple[str, list[str]]:
    """That an order is none of these; of too many nothing is said, and every order is looked at."""
    if not apart or len(apart) > MOST_APART:
        return "1 = 0" if apart else "1 = 1", []
    return f"b.order_id NOT IN ({', '.join(['%s'] * len(apart))})", [*apart]
