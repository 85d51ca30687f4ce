"""One run of the bench: for each size a database is made, filled, measured and dropped."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from procurement.demo.bench.filling import fill
from procurement.demo.bench.measuring import NOTHING, PAGES, Page, Sample, measure
from procurement.demo.bench.report import Findings
from procurement.demo.bench.scratch import bench_settings, scratch_database

# Fewer rows than a list shows at once: only beside such a size does a query for each row stand out.
FEW = 20
URLCONF = "procurement.demo.bench.urls"


def run(
    sizes: Sequence[int],
    requests: int,
    say: Callable[[str], object],
    *,
    pages: Sequence[Page] = PAGES,
    urlconf: str = URLCONF,
    command: str = "python3 dev.py bench",
) -> Findings:
    """Measure `pages` at each size, and count their queries at a size of less than one page of rows as well."""
    timed = sorted(set(sizes))
    counted = [FEW] if timed[0] > FEW else []
    samples: dict[int, dict[str, Sample]] = {}
    with bench_settings(urlconf):
        for size in [*counted, *timed]:
            samples[size] = at_size(size, requests if size in timed else 1, [NOTHING, *pages], say)
    return Findings(pages, samples, timed, requests, command)


def at_size(size: int, requests: int, pages: Sequence[Page], say: Callable[[str], object]) -> dict[str, Sample]:
    with scratch_database():
        began = time.monotonic()
        shop = fill(size)
        filled = time.monotonic()
        found = measure(shop.people, pages, requests)
        took = time.monotonic()
    say(f"{size:,} orders: made in {filled - began:.0f} s, measured in {took - filled:.0f} s")
    return found
