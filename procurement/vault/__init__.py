"""Sealed values: codes, keys and secrets are encrypted here and nowhere else. Knows no order and no supplier."""

from procurement.vault.envelope import Context, SealBroken
from procurement.vault.keyring import KeyUnavailable, verify_master_key
from procurement.vault.purposes import Purpose
from procurement.vault.sealing import blind_index, last4, normalise_code, open_sealed, seal
from procurement.vault.secret import Secret

__all__ = [
    "Context",
    "KeyUnavailable",
    "Purpose",
    "SealBroken",
    "Secret",
    "blind_index",
    "last4",
    "normalise_code",
    "open_sealed",
    "seal",
    "verify_master_key",
]
