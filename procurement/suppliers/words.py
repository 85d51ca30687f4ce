"""Words for people: what went wrong on the wire (the class name stays in the exchange), and discount tiers."""

from __future__ import annotations

SOMETHING = "the connection failed"
WORDS = {
    # Before anything left
    "ConnectError": "no connection could be made",
    "ConnectTimeout": "no connection was made in time",
    "PoolTimeout": "no connection was free",
    "UnsupportedProtocol": "its address is wrong",
    "InvalidURL": "its address is wrong",
    "LocalProtocolError": "the request was malformed",
    "UnicodeEncodeError": "the request was malformed",
    "UnicodeError": "the request was malformed",
    "ValueError": "the request was malformed",
    # While it was sent, or after
    "ReadTimeout": "no answer came in time",
    "WriteTimeout": "it stopped taking the request",
    "WriteError": "the connection broke while sending",
    "ReadError": "the connection broke before the answer came",
    "CloseError": "the connection broke",
    "RemoteProtocolError": "the connection was closed before the answer was complete",
    "StreamError": "the answer broke off",
    "DecodingError": "the answer could not be unpacked",
    # An answer that is none
    "EmptyBody": "the answer was empty",
    "NotJson": "the answer was a web page, not data",
    "BadJson": "the answer was garbled",
    "BadEncoding": "the answer could not be unpacked",
    "TooLarge": "the answer was too long",
}


def in_words(error: str) -> str:
    """The error's class name as a clause, such as "no answer came in time"; the same for an error nobody thought of."""
    return WORDS.get(error, SOMETHING)


def tier_in_words(name: str, discount_bp: int | None) -> str:
    """A discount tier with its discount (basis points), such as "Silver, 2.5 %"; empty if neither is known."""
    discount = "" if discount_bp is None else f"{discount_bp / 100:g} %"
    return ", ".join(filter(None, (name, discount)))
