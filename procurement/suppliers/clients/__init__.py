"""Clients: one per dialect behind one protocol. `client_for(account)` is the only way to get one (R36, R103)."""

from __future__ import annotations

import httpx

from procurement.suppliers.clients.alpha import STATUSES as ALPHA_STATUSES
from procurement.suppliers.clients.alpha import AlphaClient
from procurement.suppliers.clients.environment import check_code_environment
from procurement.suppliers.clients.problems import NotOffered, SupplierProblem, Throttled
from procurement.suppliers.clients.psnb2b import STATUSES as PSNB2B_STATUSES
from procurement.suppliers.clients.psnb2b import Psnb2bClient
from procurement.suppliers.clients.types import UNRECOGNISED, SupplierClient
from procurement.suppliers.models import ALPHA, PSNB2B, SupplierAccount
from procurement.vault import Secret

CLIENTS: dict[str, type[AlphaClient] | type[Psnb2bClient]] = {ALPHA: AlphaClient, PSNB2B: Psnb2bClient}
STATUSES = {ALPHA: ALPHA_STATUSES, PSNB2B: PSNB2B_STATUSES}


def client_for(
    account: SupplierAccount, transport: httpx.BaseTransport | None = None, *, key: Secret | None = None
) -> SupplierClient:
    """The client of the account's dialect. `key` tries a new key out before it is stored."""
    return CLIENTS[account.dialect](account, transport, key)


def normal_status(dialect: str, raw_status: str) -> str:
    """A supplier's status word in ours; `unrecognised` for a new one (R32, R34)."""
    return STATUSES[dialect].get(raw_status, UNRECOGNISED)


__all__ = [
    "NotOffered",
    "SupplierClient",
    "SupplierProblem",
    "Throttled",
    "check_code_environment",
    "client_for",
    "normal_status",
]
