"""Where every simulated history begins: people, accounts at both suppliers, mapped SKUs, money, at one moment."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from unittest.mock import patch

from procurement.bookkeeping import deposits
from procurement.catalog.models import Sku
from procurement.catalog.services.refreshing import refresh_products
from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.services import create_account, set_api_key, set_webhook_secret
from tests.conftest import make_person
from tests.fixtures_sandbox import KEYS, PATHS, SECRETS
from tests.orders.conftest import map_exactly
from tests.simulation.suppliers import HOME, Suppliers

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NAMES = {"alpha": "Alpha PSN", "psnb2b": "PSN:B2B"}
MONEY = 3_000_00
FACES = (10, 50)
PEOPLE = {"ben": "buyer", "mia": "manager", "sam": "support", "fay": "finance", "ada": "admin"}


@dataclass
class Chance:
    """All chance of a run: ours by `dice`, and everything that asks the operating system for random bytes."""

    seed: int

    def __post_init__(self) -> None:
        self.dice = random.Random(f"dice {self.seed}")
        self.bytes = random.Random(f"bytes {self.seed}")

    @contextmanager
    def instead_of_the_system(self) -> Iterator[None]:
        """Ids, keys and waits drawn at random come out of the seed; nothing real may be made meanwhile."""
        # `random` keeps a reference of its own, which `secrets` draws from.
        with patch.object(os, "urandom", self.draw), patch.object(random, "_urandom", self.draw):
            yield

    def draw(self, size: int) -> bytes:
        return self.bytes.randbytes(size)


def build(suppliers: Suppliers, codes: tuple[str, ...]) -> None:
    """Fill an empty database; the suppliers are asked for their products."""
    for name, role in PEOPLE.items():
        make_person(name, role)
    for code in codes:
        suppliers.control("PUT", f"accounts/{code}", {"balance": {"USD": f"{MONEY // 100}.00"}})
        account = create_account(
            by=None,
            code=code,
            name=NAMES[code],
            dialect=code,
            base_url=HOME + PATHS[code],
            settlement_currency="USD",
        )
        set_api_key(by=None, account=account, key=KEYS[code])
        set_webhook_secret(by=None, account=account, secret=SECRETS[code])
        refresh_products(account)
        deposits.open_book(
            account=account,
            amount_minor=MONEY,
            currency="USD",
            credited_on=date(2026, 3, 1),
            reference=f"{code}-1",
        )
    for face in FACES:
        sku = Sku.objects.create(
            code=f"PSN-US-{face}",
            title=f"PlayStation Store ${face}",
            region="US",
            currency="USD",
            face_minor=face * 100,
        )
        for account in SupplierAccount.objects.order_by("code"):
            map_exactly(sku, account)
