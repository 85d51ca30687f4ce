"""`manage.py checkpoint_ledger`: checkpoint what was booked, and print the checkpoint to keep elsewhere."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from ledger.checkpoints import checkpoint


class Command(BaseCommand):
    help = "Checkpoint the ledger as it is now and print the checkpoint. Keep the line where the database's owner cannot change it."

    def handle(self, *args: Any, **options: Any) -> None:
        made = checkpoint()
        self.stdout.write(
            f"{made.at:%Y-%m-%d %H:%M:%S}Z {made}" if made else "Nothing was ever booked; nothing to checkpoint."
        )
