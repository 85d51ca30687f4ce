"""Open a delivery file with its passphrase: for the storefront that receives it. Needs no database and no key of ours."""

from __future__ import annotations

import getpass
import hashlib
import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from procurement.vault import Secret
from procurement.vault.passphrase import NotOpened, open_with_passphrase


class Command(BaseCommand):
    help = "Open a delivery file; its count and SHA-256 go to the terminal, the lines to --to."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--to", type=Path, required=True, help="a new file, readable by its owner alone")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            blob = options["file"].read_bytes()
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}. Nothing was opened.") from None
        self.stderr.write(f"SHA-256 {hashlib.sha256(blob).hexdigest()}")
        try:
            plain = open_with_passphrase(blob, Secret(self.ask_passphrase()))
        except NotOpened as refusal:
            raise CommandError(refusal.sentence) from None
        self.write(options["to"], plain)
        count = max(0, plain.count(b"\n") - 1)
        self.stderr.write(
            f"{count} {'code' if count == 1 else 'codes'} in {options['to']}. Delete it when they are stored."
        )

    def ask_passphrase(self) -> str:
        return getpass.getpass("Passphrase: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")

    def write(self, path: Path, plain: bytes) -> None:
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise CommandError(f"{path} cannot be made: {error.strerror}. Nothing was opened.") from None
        with os.fdopen(handle, "wb") as file:
            file.write(plain)
