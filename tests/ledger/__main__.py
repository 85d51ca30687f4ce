"""`python3 dev.py simulate --books`: a long history of the ledger out of a seed, beside a naive model."""

from __future__ import annotations

import argparse
import os
import sys
import time


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python3 dev.py simulate --books", description=__doc__)
    parser.add_argument("--books", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=int, default=20_000, help="how many (20,000)")
    parser.add_argument(
        "--seed", type=int, default=1, help="the same seed gives the same last checkpoint on either database (1)"
    )
    parser.add_argument("--kills", type=int, default=0, help="instead: kill -9 a writer so often")
    parser.add_argument("--races", type=int, default=0, help="instead: so many rounds of two processes after one hold")
    asked = parser.parse_args(arguments)
    os.environ["DJANGO_SETTINGS_MODULE"] = "procurement.settings"
    os.environ.setdefault("COUNTERSIGN_ENV", "sandbox")
    import django

    django.setup()
    from django.db import connection

    from tests.ledger.hardship import kills, races
    from tests.ledger.history import History
    from tests.simulation.__main__ import a_database

    if asked.kills or asked.races:
        with a_database(0, in_memory=False):
            began = time.monotonic()
            if asked.kills:
                done = kills(asked.kills, asked.seed)
                said = f"{done.kills} kills, {done.booked:,} entries booked once each, {done.repeated:,} found booked"
            else:
                races(asked.races)
                said = f"{asked.races:,} rounds, in each one of two held the money and one ended the hold"
        print(f"{connection.vendor}: {said}, {time.monotonic() - began:.0f} s; the books verify.")
        return 0
    with a_database(0):
        began, history = time.monotonic(), History(asked.seed)
        last = history.run(asked.steps)
    took = time.monotonic() - began
    print(
        f"{connection.vendor}, seed {asked.seed}: {asked.steps:,} steps, {history.booked:,} booked, {history.refused:,} refused, "
        f"{history.lost:,} lost on the way, {history.asked:,} balances of the past asked, {took:.0f} s. Last checkpoint {last}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
