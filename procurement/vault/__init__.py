"""Sealed values: codes, keys and secrets are encrypted here and nowhere else. Knows no order and no supplier."""

from procurement.vault.columns import id_text, indexed_codes, month_text, sealed_column
from procurement.vault.envelope import Context, SealBroken
from procurement.vault.fingerprints import Fingerprints, fingerprints
from procurement.vault.keyring import verify_master_key
from procurement.vault.private import KeyUnavailable
from procurement.vault.purposes import Purpose, month_of
from procurement.vault.sealing import authenticate, is_authentic, last4, normalise_code, open_sealed, seal
from procurement.vault.secret import Secret

__all__ = [
    "Context",
    "Fingerprints",
    "KeyUnavailable",
    "Purpose",
    "SealBroken",
    "Secret",
    "authenticate",
    "fingerprints",
    "id_text",
    "indexed_codes",
    "is_authentic",
    "last4",
    "month_of",
    "month_text",
    "normalise_code",
    "open_sealed",
    "seal",
    "sealed_column",
    "verify_master_key",
]
