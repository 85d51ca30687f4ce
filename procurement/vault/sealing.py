"""Seal and open values, and a code as it is compared (R61, R62)."""

from __future__ import annotations

import unicodedata

from procurement.faultpoints import faultpoint
from procurement.vault import keyring, primitives
from procurement.vault.envelope import Context, SealBroken, decrypt, encrypt, encrypt_anew, key_id_of
from procurement.vault.purposes import Purpose
from procurement.vault.secret import Secret

SHORTEST_WITH_LAST4 = 8
# Dashes of any length, and characters without a width that come along with a pasted code.
UNSEEN = frozenset({"Pd", "Cf"})


def _bytes(plain: str | bytes | Secret) -> bytes:
    if isinstance(plain, Secret):
        return plain.expose_bytes()
    return plain.encode() if isinstance(plain, str) else bytes(plain)


def seal(plain: str | bytes | Secret, *, purpose: Purpose | str, context: Context) -> bytes:
    """Encrypt `plain` for one place. Raises KeyUnavailable without a master key."""
    purpose = Purpose(purpose)
    faultpoint(f"vault.seal.{purpose.value}")
    key_id, dek = keyring.active_key(purpose, context.period)
    key = keyring.working_key(dek, key_id=key_id, purpose=purpose, use="seal")
    return encrypt(_bytes(plain), key=key, key_id=key_id, fields=context.fields(purpose.value))


def open_sealed(blob: bytes | memoryview, *, purpose: Purpose | str, context: Context) -> Secret:
    """Open what `seal` made for the same purpose and context; SealBroken for anything else."""
    purpose, blob = Purpose(purpose), bytes(blob)
    key_id = key_id_of(blob)
    dek = keyring.key_by_id(key_id, purpose)
    key = keyring.working_key(dek, key_id=key_id, purpose=purpose, use="seal")
    return Secret(decrypt(blob, key=key, fields=context.fields(purpose.value)))


class BatchKeys:
    """The working keys for a batch of values of one purpose, each asked for once; use it no longer than that."""

    def __init__(self, purpose: Purpose) -> None:
        self.purpose, self.name = purpose, purpose.value
        # By the key's id, and by the month whose values are sealed now.
        self._opens: dict[int, bytes] = {}
        self._seals: dict[str, tuple[int, bytes]] = {}

    def opens(self, key_id: int) -> bytes:
        if held := self._opens.get(key_id):
            return held
        dek = keyring.key_by_id(key_id, self.purpose)
        self._opens[key_id] = keyring.working_key(dek, key_id=key_id, purpose=self.purpose, use="seal")
        return self._opens[key_id]

    def seals(self, period: str) -> tuple[int, bytes]:
        if held := self._seals.get(period):
            return held
        key_id, _ = keyring.active_key(self.purpose, period)
        self._seals[period] = (key_id, self.opens(key_id))
        return self._seals[period]


def seal_anew(blob: bytes, *, keys: BatchKeys, context: Context) -> bytes:
    """A sealed value under the key that seals now; it was opened again before it is given back. SealBroken if it does not open."""
    old = keys.opens(key_id_of(blob))
    key_id, key = keys.seals(context.period)
    return encrypt_anew(blob, old=old, key=key, key_id=key_id, place=context.place(keys.name))


def normalise_code(code: str | Secret) -> str:
    """A code as it is stored and compared: NFKC, without white space, hyphens and invisible characters, upper case."""
    text = code.expose() if isinstance(code, Secret) else code
    folded = unicodedata.normalize("NFKC", text)
    return "".join(char for char in folded if not char.isspace() and unicodedata.category(char) not in UNSEEN).upper()


def last4(code: str | Secret) -> str:
    """The public handle of a code; empty for codes so short that four characters would give them away."""
    text = normalise_code(code)
    return text[-4:] if len(text) >= SHORTEST_WITH_LAST4 else ""


def authenticate(message: bytes, *, purpose: Purpose) -> bytes:
    """36 bytes that nobody without the key can make for `message`: the key's id, and an HMAC-SHA256."""
    key_id, dek = keyring.active_key(purpose)
    return key_id.to_bytes(4, "big") + _mac(message, key_id, dek, purpose)


def is_authentic(tag: bytes | memoryview, message: bytes, *, purpose: Purpose) -> bool:
    """Whether `authenticate` made `tag` for this message and purpose, with a key that still exists."""
    key_id, mac = int.from_bytes(bytes(tag[:4]), "big"), bytes(tag[4:])
    try:
        dek = keyring.key_by_id(key_id, purpose)
    except SealBroken:
        return False
    return primitives.same(mac, _mac(message, key_id, dek, purpose))


def _mac(message: bytes, key_id: int, dek: bytes, purpose: Purpose) -> bytes:
    key = keyring.working_key(dek, key_id=key_id, purpose=purpose, use="mac")
    return primitives.mac(message, key=key)
