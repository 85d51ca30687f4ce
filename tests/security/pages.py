"""What every answer must carry, and what no page may hold; `complaints` names what is wrong with an answer."""

from __future__ import annotations

import re
from functools import lru_cache
from html.parser import HTMLParser
from typing import Any

REQUIRED = {
    "Content-Security-Policy": (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
    ),
    "X-Content-Type-Options": ("nosniff",),
    "Referrer-Policy": ("same-origin", "no-referrer"),
    "Cross-Origin-Opener-Policy": ("same-origin",),
    "Cross-Origin-Resource-Policy": ("same-origin",),
    "Permissions-Policy": ("camera=()", "geolocation=()", "microphone=()"),
    "X-Frame-Options": ("DENY",),
}
ONE_OF = {"Referrer-Policy"}
# A file somebody uploaded may run even less: none of our own scripts.
DOWNLOADED = ("default-src 'none'", "frame-ancestors 'none'", "sandbox")
FORBIDDEN = ("unsafe-inline", "unsafe-eval", "*", "http:", "https:", "data:", "blob:")
URLS = {"href", "src", "action", "formaction", "data", "poster", "xlink:href", "srcset"}
NEVER = {"style", "iframe", "frame", "object", "embed", "base", "applet"}


class Inline(HTMLParser):
    """Code or style in a page, and whatever it would load from elsewhere."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.in_script = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name.lower(): (value or "").strip() for name, value in attrs}
        if tag in NEVER or (tag == "meta" and "http-equiv" in given):
            self.found.append(f"<{tag}>")
        self.in_script = tag == "script"
        if self.in_script and not given.get("src"):
            self.found.append("<script> without src")
        self.found += [f"{name}=" for name in given if name == "style" or name.startswith(("on", "hx-on", "hx-vars"))]
        self.found += [
            f"{name}={value[:40]}" for name, value in given.items() if name in URLS and leads_away(tag, value)
        ]
        self.found += [f"{name}={value[:40]}" for name, value in given.items() if name[:3] == "hx-" and is_code(value)]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.in_script = False

    def handle_endtag(self, tag: str) -> None:
        self.in_script = False

    def handle_data(self, data: str) -> None:
        if self.in_script and data.strip():
            self.found.append("code in <script>")


def leads_away(tag: str, value: str) -> bool:
    """Code in an address anywhere; another host in anything but a link that a person follows."""
    lower = "".join(value.split()).lower()
    if lower.startswith(("javascript:", "vbscript:", "data:", "blob:")):
        return True
    return tag != "a" and lower.startswith(("http:", "https:", "//"))


def is_code(value: str) -> bool:
    return value.lower().startswith(("js:", "javascript:"))


# A comment, the contents of a script or style, or one tag; quoted values may hold ">".
PIECE = re.compile(
    r"""<!--.*?(?:-->|$)|<(?:script|style)\b.*?(?:</(?:script|style)\s*>|$)|<(?:[^"'<>]|"[^"]*"|'[^']*')*>|<""",
    re.I | re.S,
)


def inline_code(html: str) -> list[str]:
    """What `Inline` finds in a page. The pages of a desk are made of the same tags again and again; each is read once."""
    return [found for piece in PIECE.findall(html) for found in inline_in(piece)]


@lru_cache(maxsize=50_000)
def inline_in(piece: str) -> tuple[str, ...]:
    return ("a < that begins no tag",) if piece == "<" else tuple(Inline(piece).found)


def missing_headers(answer: Any, *, stored: bool = False) -> list[str]:
    """Headers that are absent or too weak; `stored` for a static file, which may be kept."""
    wrong = []
    for name, parts in REQUIRED.items():
        value = answer.headers.get(name, "")
        if name == "Content-Security-Policy" and all(part in value for part in DOWNLOADED):
            continue
        if not (any if name in ONE_OF else all)(part in value for part in parts):
            wrong.append(f"{name}: {value or 'absent'}")
    policy = answer.headers.get("Content-Security-Policy", "")
    wrong += [f"Content-Security-Policy has {word}" for word in FORBIDDEN if word in policy]
    if not stored and "no-store" not in answer.headers.get("Cache-Control", ""):
        wrong.append(f"Cache-Control: {answer.headers.get('Cache-Control', 'absent')}")
    return wrong


def complaints(answer: Any, *, stored: bool = False) -> str:
    """What is wrong with an answer's headers and page; empty if nothing."""
    wrong = missing_headers(answer, stored=stored)
    if not answer.streaming and "html" in answer.headers.get("Content-Type", ""):
        wrong += inline_code(answer.content.decode())
    return "; ".join(wrong)
