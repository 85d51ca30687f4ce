"""Sealed values: codes, keys and secrets are encrypted here and nowhere else. Knows no order and no supplier."""

from procurement.vault.columns import sealed_column
from procurement.vault.envelope import Context, SealBroken
from procurement.vault.keyring import verify_master_key
from procurement.vault.master import KeyUnavailable
from procurement.vault.purposes import Purpose, month_of
from procurement.vault.sealing import authenticate, blind_index, is_authentic, last4, normalise_code, open_sealed, seal
from procurement.vault.secret import Secret

__all__ = [
    "Context",
    "KeyUnavailable",
    "Purpose",
    "SealBroken",
    "Secret",
    "authenticate",
    "blind_index",
    "is_authentic",
    "last4",
    "month_of",
    "normalise_code",
    "open_sealed",
    "seal",
    "sealed_column",
    "verify_master_key",
]
