"""What must stand nowhere, and every way in which it could stand somewhere all the same."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

# Of a base64 text only what does not depend on its neighbours is looked for.
SHORTEST = 10


@dataclass(frozen=True)
class Canary:
    """A value that is looked for. `kind` is what it is: an answer may be meant to hold one kind."""

    kind: str
    name: str
    value: str


def variants(value: str) -> set[str]:
    """The value as it may be written by hand: without its hyphens and blanks, in groups of four, in small letters."""
    bare = re.sub(r"[\s-]", "", value)
    groups = [bare[place : place + 4] for place in range(0, len(bare), 4)]
    written = {value, bare, "-".join(groups), " ".join(groups)} if bare.isalnum() else {value}
    return written | {text.lower() for text in written}


def base64_forms(raw: bytes) -> Iterator[bytes]:
    """As it stands in the base64 of a longer text, at each of the three places it may begin at; both alphabets."""
    for offset in range(3):
        text = base64.b64encode(b"\0" * offset + raw)
        # Characters that also hold bits of a neighbour are cut off.
        inner = text[-(-offset * 8 // 6) : len(text) - 4 if (offset + len(raw)) % 3 else len(text)]
        yield inner
        yield inner.replace(b"+", b"-").replace(b"/", b"_")


def forms(value: str) -> dict[bytes, str]:
    """What to look for, with the name of the way it is written. All in small letters: case is not looked at."""
    found: dict[bytes, str] = {}

    def add(name: str, *patterns: bytes) -> None:
        for pattern in patterns:
            if len(pattern) >= SHORTEST:
                found.setdefault(pattern.lower(), name)

    for text in variants(value):
        raw = text.encode()
        add("plain", raw)
        add("reversed", raw[::-1])
        add("base64", *base64_forms(raw))
        add("base32", base64.b32encode(raw).rstrip(b"="), base64.b32encode(raw[: len(raw) // 5 * 5]))
        add("base85", base64.b85encode(raw), base64.a85encode(raw))
        add("hex", raw.hex().encode())
        add("URL-encoded", quote(text, safe="").encode(), quote_plus(text).encode(), percent(raw))
        add("JSON-escaped", json.dumps(text)[1:-1].encode(), b"".join(b"\\u%04x" % char for char in raw))
        add("HTML-escaped", html.escape(text).encode(), html.escape(text).replace("&#x27;", "&#39;").encode())
        add("HTML-escaped", b"".join(b"&#%d;" % char for char in raw), b"".join(b"&#x%x;" % char for char in raw))
        add("escaped by Python", repr(text)[1:-1].encode(), repr(raw)[2:-1].encode(), repr(repr(text))[2:-2].encode())
        add("escaped by Python", b"".join(b"\\x%02x" % char for char in raw))
        add("UTF-16", text.encode("utf-16-le"), text.encode("utf-16-be"))
        add("a list of numbers", ", ".join(map(str, raw)).encode(), ",".join(map(str, raw)).encode())
        add("quoted-printable", b"".join(b"=%02x" % char for char in raw))
        for digest in (hashlib.md5(raw), hashlib.sha1(raw), hashlib.sha256(raw), hashlib.sha512(raw)):
            # Beside its visible last four characters a code is guessed from such a hash in minutes.
            add("hashed without a key", digest.hexdigest().encode(), *base64_forms(digest.digest()))
    return found


def percent(raw: bytes) -> bytes:
    return b"".join(b"%%%02x" % char for char in raw)


def squeezed(data: bytes) -> bytes:
    """Letters and digits alone: finds what is spaced, grouped, hyphenated or spread over UTF-16."""
    return re.sub(rb"[^a-z0-9]", b"", data)


def unpacked(data: bytes) -> bytes:
    """The content with that of a workbook, an archive or a compressed text after it."""
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return data + b"\n".join(archive.read(name) for name in archive.namelist())
    try:
        return data + (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else b"")
    except (OSError, EOFError, zlib.error):
        return data


def before(data: bytes, pattern: bytes) -> str:
    """What stands right before the first hit, so that whoever reads the failure finds it without reading the secret."""
    place = data.index(pattern)
    return f"after {data[max(0, place - 60) : place].decode('utf-8', 'replace')!r}"


class Search:
    """Looks for canaries in anything; the patterns are made once."""

    def __init__(self, canaries: list[Canary]) -> None:
        self.patterns = {canary: forms(canary.value) for canary in canaries}
        self.digests = {
            canary: [
                make(text.encode()).digest()
                for text in variants(canary.value)
                for make in (hashlib.md5, hashlib.sha1, hashlib.sha256, hashlib.sha512)
            ]
            for canary in canaries
        }

    def hits(self, data: bytes, meant: str = "") -> list[str]:
        """`name: way it is written, after what` for each canary found; of the `meant` kind none is looked for."""
        data = unpacked(data)
        low = data.lower()
        tight = squeezed(low)
        found = []
        for canary, patterns in self.patterns.items():
            if canary.kind == meant:
                continue
            ways = {f"{name} {before(low, pattern)}" for pattern, name in patterns.items() if pattern in low}
            bare = squeezed(canary.value.lower().encode())
            if len(bare) >= SHORTEST and not ways:
                ways |= {"spaced"} if bare in tight else set()
                ways |= {"spaced and reversed"} if bare[::-1] in tight else set()
                ways |= {"spaced hex"} if bare.hex().encode() in tight else set()
                ways |= {"spaced hex"} if bare.upper().hex().encode() in tight else set()
            ways |= {"hashed without a key"} if any(digest in data for digest in self.digests[canary]) else set()
            found += [f"{canary.name}: {way}" for way in sorted(ways)]
        return found
