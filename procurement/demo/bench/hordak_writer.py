# mypy: ignore-errors
# ruff: noqa: PLC0415 (models can be imported once Django is set up)
"""Posts with django-hordak, in an environment of its own: `prepare`, `write START SECONDS WRITER` or `drop`.

Not imported by the project: `hordak.py` runs it. DATABASE_URL names the server, HORDAK_DATABASE the scratch database.
"""

import json
import os
import sys
import time

import dj_database_url
import django
import psycopg
from django.conf import settings

URL, NAME, BOOKS = os.environ["DATABASE_URL"], os.environ["HORDAK_DATABASE"], 100


def server(statement):
    with psycopg.connect(URL, autocommit=True) as connection:
        connection.execute(statement)


def start():
    settings.configure(
        DATABASES={"default": dj_database_url.parse(URL) | {"NAME": NAME}},
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "mptt", "hordak"],
        DEFAULT_CURRENCY="USD",
        HORDAK_CURRENCIES=["USD"],
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        USE_TZ=True,
    )
    django.setup()


def prepare():
    from django.core.management import call_command
    from hordak.models import Account, AccountType

    call_command("migrate", verbosity=0)
    for number in range(BOOKS):
        for name, kind in (("funds", AccountType.asset), ("cost", AccountType.expense)):
            Account.objects.create(name=f"{name} {number}", type=kind, code=f"{name[0]}{number}", currencies=["USD"])


def write(begins, seconds, writer):
    from hordak.models import Account
    from moneyed import Money

    accounts = {account.name: account for account in Account.objects.all()}
    pairs = [(accounts[f"funds {number}"], accounts[f"cost {number}"]) for number in range(BOOKS)]
    took = []
    time.sleep(max(0.0, begins - time.time()))
    number, ends = writer, begins + seconds
    while (began := time.time()) < ends:
        funds, cost = pairs[number % BOOKS]
        funds.transfer_to(cost, Money("45.00", "USD"), description=f"bench:{writer}:{number}")
        took.append(time.time() - began)
        number += 1
    sys.stdout.write(json.dumps(took))


if __name__ == "__main__":
    what, *numbers = sys.argv[1:]
    if what == "prepare":
        server(f'CREATE DATABASE "{NAME}"')
    if what == "drop":
        server(f'DROP DATABASE IF EXISTS "{NAME}"')
    else:
        start()
        prepare() if what == "prepare" else write(float(numbers[0]), float(numbers[1]), int(numbers[2]))
