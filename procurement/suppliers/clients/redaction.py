"""What of a message may be kept readable: everything but codes, keys and signatures (R62)."""

from __future__ import annotations

import json
import re
from typing import Any

from procurement.suppliers.clients.strict_json import CATALOGUE_MEMBERS, BadJson, parse

KEPT = 8_000
MASK = "••••-••••-"
HIDDEN_NAMES = frozenset(
    {"pin", "serial_code", "voucher", "secret", "token", "api_key", "key", "password", "authorization", "signature"}
)
# Inside a list of codes only these may be read; a name this project does not know might hold the code.
PLAIN_IN_CODES = frozenset({"region", "denomination", "serial", "expires_on", "currency", "delivered_at"})
GROUPED = re.compile(r"(?<![A-Za-z0-9-])[A-Za-z0-9]{4}[- ]?[A-Za-z0-9]{4}[- ]?([A-Za-z0-9]{4})(?![A-Za-z0-9-])")
ERROR_WORD = re.compile(r"[a-z_]+|[A-Z]+(_[A-Z]+)+")


def mask(text: str) -> str:
    """A fixed mask and the last four characters; nothing of a text so short that four would give it away."""
    bare = re.sub(r"[\s-]", "", text)
    return MASK + (bare[-4:] if len(bare) >= 8 else "••••")


def mask_code_like(text: str, *, by_hand: bool = False) -> str:
    """Hide every run of 4-4-4 characters that has a digit and is in capitals or grouped, as codes are printed.

    What people wrote `by_hand` may repeat a code in small letters, and holds no ids that only look like one.
    """

    def hide(match: re.Match[str]) -> str:
        found = match.group(0)
        has_digit, is_grouped = any(char.isdigit() for char in found), "-" in found or " " in found
        is_code = has_digit and (is_grouped or found.isupper() or (by_hand and not found.isdigit()))
        hyphened = by_hand and found.count("-") == 2 and found.isupper()
        return MASK + match.group(1) if is_code or hyphened else found

    return GROUPED.sub(hide, text)


def _clean(value: Any, name: str, in_codes: bool, parent: str) -> Any:
    if isinstance(value, dict):
        return {key: _clean(inner, str(key).lower(), in_codes, name) for key, inner in value.items()}
    if isinstance(value, list):
        return [_clean(item, name, in_codes or name == "codes", parent) for item in value]
    if not isinstance(value, str):
        return value if isinstance(value, (int, bool, type(None))) else str(value)
    if name in HIDDEN_NAMES:
        return "[hidden]"
    names_a_code = name == "code" and parent not in {"error", "errors"}
    if (in_codes and name not in PLAIN_IN_CODES) or (names_a_code and not ERROR_WORD.fullmatch(value)):
        return mask(value)
    return mask_code_like(value)


def readable(raw: bytes, *, hide: tuple[str, ...] = (), codes_inside: bool = False, most: int = KEPT) -> str:
    """`raw` for the exchange log, at most `most` characters, with codes and whatever looks like one masked.

    `hide` are credentials to strike wherever they stand. A body that should hold codes but is no JSON is not kept.
    """
    if not raw:
        return ""
    try:
        text = json.dumps(_clean(parse(raw, members=CATALOGUE_MEMBERS), "", False, ""), ensure_ascii=False)
    except BadJson:
        if codes_inside:
            return f"[{len(raw)} bytes that are not JSON; not kept, because they may hold codes]"
        text = mask_code_like(raw[: 4 * most].decode("utf-8", "replace").replace("\x00", "�"))
    for secret in hide:
        text = text.replace(secret, "[hidden]") if secret else text
    return text if len(text) <= most else text[:most] + f" … [{len(text)} characters in all]"
