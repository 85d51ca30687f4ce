"""Which of some amounts add up to another: the one search behind explanations of a balance and proposals of matches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

Places = tuple[int, ...]


def sets_adding_to(target: int, amounts: Sequence[int], sizes: Iterable[int]) -> Iterator[Places]:
    """Sets of these sizes, as places in `amounts`, that add up to `target`: in order of size, then of their places.

    Half of a set is looked up by its sum, so that sets of six cost what sets of three do. Bounding both numbers is the
    caller's: forty amounts in sets of six are 10,000 sums, in sets of ten a million.
    """
    for size in sizes:
        rests = defaultdict[int, list[Places]](list)
        for rest in combinations(range(len(amounts)), size - size // 2):
            rests[sum(amounts[place] for place in rest)].append(rest)
        for first in combinations(range(len(amounts)), size // 2):
            wanted = target - sum(amounts[place] for place in first)
            yield from (first + rest for rest in rests.get(wanted, ()) if not first or rest[0] > first[-1])


def zero_sets_apart(amounts: Sequence[int], most: int) -> list[Places]:
    """Sets of 2 to `most` amounts that add up to zero and share none: each time the first of the smallest that is left.

    The same amounts in the same order give the same sets.
    """
    left, found = list(range(len(amounts))), list[Places]()
    while chosen := next(sets_adding_to(0, [amounts[place] for place in left], range(2, most + 1)), None):
        found.append(tuple(left[place] for place in chosen))
        left = [place for place in left if place not in found[-1]]
    return found
