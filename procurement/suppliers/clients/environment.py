"""Sandbox codes and real ones never mix: the first group `TST0` belongs to the sandbox (R108)."""

from __future__ import annotations

from procurement.suppliers.clients.problems import WrongEnvironment
from procurement.suppliers.models import SupplierAccount
from procurement.vault import Secret, normalise_code

SANDBOX_PREFIX = "TST0"


def check_code_environment(account: SupplierAccount, code: Secret) -> None:
    """Raise WrongEnvironment when a code cannot come from this account; nothing of the delivery may then be stored."""
    from_sandbox = normalise_code(code).startswith(SANDBOX_PREFIX)
    if from_sandbox and not account.is_sandbox:
        raise WrongEnvironment(f"{account} is live but delivered a sandbox code. Nothing was stored; ask the supplier.")
    if account.is_sandbox and not from_sandbox:
        raise WrongEnvironment(
            f"{account} is a sandbox but delivered a code that is not one. Nothing was stored; check its address."
        )
