"""The sealed format refuses every change, every swap and every other place."""

from __future__ import annotations

import itertools
import struct

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from procurement.vault.envelope import (
    HEADER,
    OVERHEAD,
    Context,
    SealBroken,
    decrypt,
    encrypt,
    key_id_of,
    length_prefixed,
)

KEY = bytes(range(32))
PLACE = Context("code", "sealed", "row-1", "alpha", "order-1").fields("code")


def sealed(plain: bytes = b"TST0-AAAA-BBBB") -> bytes:
    return encrypt(plain, key=KEY, key_id=7, fields=PLACE)


def test_sealed_value_opens_in_its_place() -> None:
    assert decrypt(sealed(), key=KEY, fields=PLACE) == b"TST0-AAAA-BBBB"


def test_layout_is_the_documented_one() -> None:
    blob = sealed(b"x")
    assert blob[:7] == b"G" + bytes([1, 1]) + (7).to_bytes(4, "big")
    assert len(blob) == OVERHEAD + 1 == 36
    aad = blob[:7] + b"".join(struct.pack(">I", len(part)) + part.encode() for part in PLACE)
    assert AESGCM(KEY).decrypt(blob[7:19], blob[19:], aad) == b"x"


def test_every_flipped_bit_is_refused() -> None:
    blob = sealed()
    for position, bit in itertools.product(range(len(blob)), range(8)):
        changed = bytearray(blob)
        changed[position] ^= 1 << bit
        with pytest.raises(SealBroken):
            decrypt(bytes(changed), key=KEY, fields=PLACE)


def test_every_other_length_is_refused() -> None:
    blob = sealed()
    for wrong in (*(blob[:length] for length in range(len(blob))), blob + b"\0", b"", b"G" * 10):
        with pytest.raises(SealBroken):
            decrypt(wrong, key=KEY, fields=PLACE)


def test_no_value_opens_in_another_place() -> None:
    """Fifty rows, every pair swapped: none opens in the other's place."""
    places = [
        Context(table, column, row, supplier, order).fields(purpose)
        for table, column, row, supplier, order, purpose in itertools.islice(
            itertools.product("ab", "cd", ("1", "2"), ("s", ""), ("o", ""), ("code", "webhook")), 50
        )
    ]
    blobs = [encrypt(b"same", key=KEY, key_id=1, fields=place) for place in places]
    for (left, blob), (right, place) in itertools.product(enumerate(blobs), enumerate(places)):
        if left != right:
            with pytest.raises(SealBroken):
                decrypt(blob, key=KEY, fields=place)


def test_unknown_format_and_algorithm_are_refused() -> None:
    body = sealed()[HEADER.size :]
    for header in ((b"H", 1, 1, 7), (b"G", 2, 1, 7), (b"G", 1, 2, 7)):
        with pytest.raises(SealBroken):
            key_id_of(HEADER.pack(*header) + body)


def test_the_same_value_seals_differently_each_time() -> None:
    assert len({sealed() for _ in range(200)}) == 200


def test_too_large_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        encrypt(b"x" * (8 * 1024 * 1024 + 1), key=KEY, key_id=1, fields=PLACE)


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_length_prefixes_keep_different_lists_apart(left: list[str], right: list[str]) -> None:
    assert (length_prefixed(*left) == length_prefixed(*right)) == (left == right)


@given(st.binary(max_size=300))
def test_rubbish_never_opens(rubbish: bytes) -> None:
    with pytest.raises(SealBroken):
        decrypt(rubbish, key=KEY, fields=PLACE)
