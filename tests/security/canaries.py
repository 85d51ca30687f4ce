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
NEITHER_LETTER_NOR_DIGIT = bytes(char for char in range(256) if char not in b"abcdefghijklmnopqrstuvwxyz0123456789")
# Whatever is looked for has SHORTEST characters, so wherever it begins one whole piece of it begins at a multiple of STEP.
PIECE = 5
STEP = SHORTEST - PIECE + 1
# Nobody guesses 256 random bits from their hash, which may be kept to know them again; a code has far fewer.
MAY_BE_HASHED = {"link"}
HASHES = (hashlib.md5, hashlib.sha1, hashlib.sha256, hashlib.sha512)
HASHED = "hashed without a key"


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
        for make in HASHES:
            # Beside its visible last four characters a code is guessed from such a hash in minutes.
            digest = make(raw).digest()
            add(HASHED, digest.hex().encode(), *base64_forms(digest))
    return found


def percent(raw: bytes) -> bytes:
    return b"".join(b"%%%02x" % char for char in raw)


def squeezed(data: bytes) -> bytes:
    """Letters and digits alone: finds what is spaced, grouped, hyphenated or spread over UTF-16."""
    return data.translate(None, delete=NEITHER_LETTER_NOR_DIGIT)


def unpacked(data: bytes) -> bytes:
    """The content with that of a workbook, an archive or a compressed text after it."""
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return data + b"\n".join(archive.read(name) for name in archive.namelist())
    try:
        return data + (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else b"")
    except (OSError, EOFError, zlib.error):
        return data


def before(data: bytes, place: int) -> str:
    """What stands right before a hit, so that whoever reads the failure finds it without reading the secret."""
    return f"after {data[max(0, place - 60) : place].decode('utf-8', 'replace')!r}"


class Patterns:
    """Many patterns looked for in one passage over the data, however many there are; each stands for a canary."""

    def __init__(self) -> None:
        self.pieces: dict[bytes, list[tuple[int, bytes]]] = {}
        self.meaning: dict[bytes, list[tuple[Canary, str]]] = {}

    def add(self, pattern: bytes, canary: Canary, way: str) -> None:
        if len(pattern) < SHORTEST:
            return
        if pattern not in self.meaning:
            for offset in range(STEP):
                self.pieces.setdefault(pattern[offset : offset + PIECE], []).append((offset, pattern))
        self.meaning.setdefault(pattern, []).append((canary, way))

    def found_in(self, data: bytes) -> dict[bytes, int]:
        """The patterns in `data`, each with the place of its first hit."""
        found: dict[bytes, int] = {}
        pieces = self.pieces
        for place in range(0, len(data), STEP):
            for offset, pattern in pieces.get(data[place : place + PIECE], ()):
                if place >= offset and pattern not in found and data.startswith(pattern, place - offset):
                    found[pattern] = place - offset
        return found


class Search:
    """Looks for canaries in anything; the patterns are made once."""

    def __init__(self, canaries: list[Canary]) -> None:
        self.canaries = canaries
        self.written, self.spaced, self.digests = Patterns(), Patterns(), Patterns()
        for canary in canaries:
            may_be_hashed = canary.kind in MAY_BE_HASHED
            for pattern, way in forms(canary.value).items():
                if way != HASHED or not may_be_hashed:
                    self.written.add(pattern, canary, way)
            bare = squeezed(canary.value.lower().encode())
            self.spaced.add(bare, canary, "spaced")
            self.spaced.add(bare[::-1], canary, "spaced and reversed")
            for letters in (bare, bare.upper()):
                self.spaced.add(letters.hex().encode(), canary, "spaced hex")
            for text in () if may_be_hashed else variants(canary.value):
                for make in HASHES:
                    self.digests.add(make(text.encode()).digest(), canary, HASHED)

    def hits(self, data: bytes, meant: str = "") -> dict[Canary, set[str]]:
        """The ways in which each canary is written there, with what stands before it; none of the `meant` kind is named."""
        data = unpacked(data)
        low = data.lower()
        ways: dict[Canary, set[str]] = {}
        for pattern, place in self.written.found_in(low).items():
            for canary, way in self.written.meaning[pattern]:
                ways.setdefault(canary, set()).add(f"{way} {before(low, place)}")
        for patterns, text in ((self.spaced, squeezed(low)), (self.digests, data)):
            for pattern in patterns.found_in(text):
                for canary, way in patterns.meaning[pattern]:
                    ways.setdefault(canary, {way})
        return {canary: found for canary, found in ways.items() if canary.kind != meant}
