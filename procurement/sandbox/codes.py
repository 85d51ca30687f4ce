"""Made-up wallet codes: `TST0-XXXX-XXXX`, unique, repeatable from the seed, ending in a check character."""

from __future__ import annotations

import re

from procurement.sandbox import memory
from procurement.sandbox.models import World

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SPACE = 36**7
STRIDE = 30_518_432_117  # shares no factor with 36, so that counting on visits every value once


def check_character(eleven: str) -> str:
    """Luhn's sum over 36 characters: catches any one wrong character and most swaps of neighbours."""
    total = 0
    for position, character in enumerate(reversed(eleven)):
        doubled = ALPHABET.index(character) * (2 if position % 2 == 0 else 1)
        total += doubled // 36 + doubled % 36
    return ALPHABET[-total % 36]


def code_number(number: int, seed: int) -> str:
    """The number-th code of a seed."""
    value = (number * STRIDE + seed * 7_919_000_003) % SPACE
    digits = ""
    for _ in range(7):
        value, digit = divmod(value, 36)
        digits += ALPHABET[digit]
    eleven = "TST0" + digits
    twelve = eleven + check_character(eleven)
    return f"{twelve[:4]}-{twelve[4:8]}-{twelve[8:]}"


def make_codes(count: int) -> list[str]:
    """The next unused codes."""
    first = World.take_numbers("codes_made", count)
    return [code_number(number, memory.world().seed) for number in range(first, first + count)]


def masked(text: str) -> str:
    """The text with everything that looks like a code cut to its first group."""
    return re.sub(r"\b(TST0)-?[0-9A-Z]{1,4}-?[0-9A-Z]{0,4}\b", r"\1-****-****", text, flags=re.IGNORECASE)
