"""What an object is called and where its page is, for rooms below it that know only its kind and key.

A domain registers a function for a kind, such as `orders.attempt`; a list asks once for all its rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SubjectLink:
    """The words people know an object by, and the address of its page; no address, no page."""

    words: str
    url: str = ""


Namer = Callable[[list[str]], Mapping[str, SubjectLink]]
_namers: dict[str, Namer] = {}


def names_subjects(kind: str) -> Callable[[Namer], Namer]:
    """Register a function that gets the keys of many objects of one kind and names those it knows, in one query."""

    def register(namer: Namer) -> Namer:
        _namers[kind] = namer
        return namer

    return register


def links_of(subjects: Iterable[tuple[str, str]]) -> dict[tuple[str, str], SubjectLink]:
    """A link for each (kind, key); the kind alone for an object nobody names, nothing for a blank."""
    keys: defaultdict[str, list[str]] = defaultdict(list)
    for kind, key in subjects:
        if kind and key:
            keys[kind].append(key)
    found: dict[tuple[str, str], SubjectLink] = {}
    for kind, wanted in keys.items():
        named = _namers[kind](wanted) if kind in _namers else {}
        found |= {(kind, key): named.get(key, SubjectLink(kind.rpartition(".")[2])) for key in wanted}
    return found
