"""Where a deposit or a correction stands, and how money may be sent."""

from __future__ import annotations

from dataclasses import dataclass

from procurement.states import Machine, Move, Status

# Not credited yet: money that is on its way, or about to be.
UNDER_WAY = ("announced", "sent", "confirmed")

DEPOSIT = Machine(
    name="deposit",
    statuses={
        "announced": Status("Announced", "attention", "finance"),
        "sent": Status("Sent", "progress", "finance, when the network confirms it"),
        "confirmed": Status("Confirmed", "progress", "the supplier, then a second person"),
        "credited": Status("Credited", "good", "nobody"),
        "withdrawn": Status("Withdrawn", "neutral", "nobody"),
    },
    moves=(
        Move("announced", "sent", "deposit.sent", "finance, with the transaction id"),
        Move("announced", "withdrawn", "deposit.withdrawn", "finance"),
        Move("sent", "confirmed", "deposit.confirmed", "finance"),
        Move("sent", "credited", "deposit.credited", "the supplier's balance, or a second person"),
        Move("sent", "withdrawn", "deposit.withdrawn", "finance, when the transfer failed"),
        Move("confirmed", "credited", "deposit.credited", "the supplier's balance, or a second person"),
    ),
)

# Lines that nothing else books, by two people.
CORRECTION = Machine(
    name="correction",
    statuses={
        "proposed": Status("Proposed", "attention", "a second person of finance, or a manager"),
        "booked": Status("Booked", "good", "nobody"),
        "declined": Status("Declined", "neutral", "nobody"),
    },
    moves=(
        Move("proposed", "booked", "correction.booked", "a second person"),
        Move("proposed", "declined", "correction.declined", "proposer, or a second person"),
    ),
)

# What must happen next, as the deposit's page says it.
NEXT = {
    "announced": "Send the money, then note its transaction id here.",
    "sent": "Note it here once the network has confirmed the transfer.",
    "confirmed": "The supplier credits it. Its balance is read each minute, and what it shows is booked by itself.",
    "credited": "Nothing: it is on the ledger.",
    "withdrawn": "Nothing: it was never booked.",
}

# Who says that the supplier credited it. Before there were two people to it, one was enough.
CREDITED_HOW = {
    "balance": "the supplier’s balance shows it",
    "person": "a second person confirmed it",
    "opening": "what the supplier held when this ledger began",
}


@dataclass(frozen=True)
class Way:
    """One way to send money: what is sent, over which network, and what its transaction ids look like."""

    asset: str
    network: str
    txid: str
    example: str

    @property
    def key(self) -> str:
        return f"{self.asset}/{self.network}"

    def __str__(self) -> str:
        return f"{self.asset} over {self.network}" if self.asset else self.network


HEX, HEX_0X = r"[0-9a-fA-F]{64}", r"0x[0-9a-fA-F]{64}"
PLAIN, WITH_0X = "64 characters of 0-9 and a-f", "0x and 64 characters of 0-9 and a-f"
WAYS = {
    way.key: way
    for way in (
        Way("USDT", "TRC-20", HEX, PLAIN),
        Way("USDT", "ERC-20", HEX_0X, WITH_0X),
        Way("USDT", "BEP-20", HEX_0X, WITH_0X),
        Way("BTC", "Bitcoin", HEX, PLAIN),
        Way("ETH", "Ethereum", HEX_0X, WITH_0X),
        Way("LTC", "Litecoin", HEX, PLAIN),
        Way("", "Bank transfer", r"\S(.{1,117}\S)", "the bank's reference, at least 3 characters"),
    )
}
