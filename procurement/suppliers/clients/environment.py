"""Sandbox codes and real ones never mix: the first group `TST0` belongs to the sandbox (R108)."""

from __future__ import annotations

from procurement.suppliers.models import SupplierAccount
from procurement.vault import Secret, normalise_code

SANDBOX_PREFIX = "TST0"


def check_code_environment(account: SupplierAccount, code: Secret) -> str:
    """Why a code may not come from this account, or "" when it may."""
    from_sandbox = normalise_code(code).startswith(SANDBOX_PREFIX)
    if from_sandbox and not account.is_sandbox:
        return "This is a sandbox code, and the account is live. It was not stored as stock."
    if account.is_sandbox and not from_sandbox:
        return "This is not a sandbox code, and the account is a sandbox. It was not stored as stock."
    return ""
