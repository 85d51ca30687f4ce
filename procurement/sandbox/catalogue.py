"""What both suppliers sell: the first twelve regions of catalogue.json (208 denominations), priced by fixed ratios."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zlib import crc32

from procurement.sandbox import clock, money
from procurement.sandbox.models import SUPPLIERS, Account, Balance, Movement, Product

SELLING_REGIONS = 12
# Millionths of a US dollar for one unit of the card's currency; only the sandbox settles by them.
RATES = {
    "USD": 1_000_000, "GBP": 1_270_000, "EUR": 1_080_000, "PLN": 250_000,
    "TRY": 20_480, "INR": 11_900, "BRL": 180_000, "CAD": 730_000,
}  # fmt: skip
# Cost over face value in millionths, as public price tables show it; US and SA fall with the denomination.
RATIOS = {
    "GB": 955_000, "DE": 965_000, "ES": 968_000, "FR": 970_000, "PL": 960_000,
    "TR": 1_000_000, "IN": 965_000, "AE": 980_000, "BR": 950_000, "CA": 962_000,
}  # fmt: skip
LIST_MARKUP = {"alpha": 1_000_000, "psnb2b": 1_012_000}
# Real tables carry a cost copied onto the wrong row: one such row, for whoever checks prices before an order.
COPIED_COST = {("alpha", "psn-sa-15"): 10_320}
OPENING_MINOR = 5_000_000
DEFAULTS: dict[str, dict[str, Any]] = {
    "alpha": {
        "api_keys": ["sandbox-alpha-key-000000001"],
        "webhook_secret": "sandbox-alpha-webhook-secret-000001",
    },
    "psnb2b": {
        "api_keys": ["sandbox-psnb2b-key-00000001"],
        "webhook_secret": "sandbox-psnb2b-webhook-secret-00001",
        "tier_name": "Silver",
        "tier_basis_points": 250,
    },
}


def ratio(region: str, denomination: int) -> int:
    """Cost over face value, in millionths."""
    within = min(max(denomination, 10), 100) - 10
    if region == "US":
        return 995_000 - within * 73_000 // 90
    if region == "SA":
        return 1_027_000 - within * 14_000 // 90
    return RATIOS[region] - crc32(f"{region}{denomination}".encode()) % 4_000


def list_price(supplier: str, region: str, currency: str, denomination: int) -> int:
    """The list price in US cents."""
    millionths = RATES[currency] * ratio(region, denomination) * LIST_MARKUP[supplier]
    return money.share(denomination * 100, millionths, 10**18)


def opening_stock(supplier: str, key: str, seen: bool) -> int | None:
    """Plenty of what shops really list; of the rest some rows are empty, scarce or unstated."""
    draw = crc32(f"{supplier} {key}".encode())
    if not seen and draw % 29 == 0:
        return 0
    if not seen and draw % 23 == 0:
        return 4
    if supplier == "alpha" and not seen and draw % 19 == 0:
        return None
    return 2_000 + draw % 3_000


def products_of(account: Account, plausible: bool) -> list[Product]:
    """Cards that shops were seen to list, and with `plausible` those that they could."""
    rows = json.loads(Path(__file__).with_name("catalogue.json").read_text(encoding="utf-8"))[:SELLING_REGIONS]
    products = []
    for row in rows:
        for denomination in sorted({*row["seen"], *(row["plausible"] if plausible else ())}):
            key = f"psn-{row['region'].lower()}-{denomination}"
            price = list_price(account.supplier, row["region"], row["currency"], denomination)
            products.append(
                Product(
                    account=account,
                    key=key,
                    name=f"PSN wallet code {denomination} {row['currency']} ({row['name']})",
                    region=row["region"],
                    currency=row["currency"],
                    denomination=denomination,
                    unit_minor=COPIED_COST.get((account.supplier, key), price),
                    stock=opening_stock(account.supplier, key, denomination in row["seen"]),
                )
            )
    return products


def load_defaults(plausible: bool = True) -> None:
    """Make the accounts, balances and catalogue that are missing; what is there stays."""
    for supplier in SUPPLIERS:
        account, made = Account.objects.get_or_create(supplier=supplier, defaults=DEFAULTS[supplier])
        if made:
            Balance.objects.create(account=account, currency="USD", minor=OPENING_MINOR)
            Movement.objects.create(
                account=account, currency="USD", minor=OPENING_MINOR, kind="opening", at=clock.now()
            )
            Product.objects.bulk_create(products_of(account, plausible))
