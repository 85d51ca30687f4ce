"""What runs by itself: booking deposits that a balance shows, and a checkpoint of the ledger.

The checkpoint is noted in the log, which is kept in another place than the database.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from ledger.checkpoints import checkpoint, last_checkpoint
from procurement.bookkeeping.deposits import credit_what_is_shown
from procurement.work.registry import periodic

log = logging.getLogger(__name__)


@periodic("bookkeeping.checkpoint", every=timedelta(minutes=10))
def checkpoint_ledger_task() -> None:
    """A change of the history older than this shows from now on (`manage.py verify_ledger`)."""
    before, made = last_checkpoint(), checkpoint()
    if made is not None and made != before:
        log.info("%s", made)


@periodic("bookkeeping.deposits", every=timedelta(minutes=1))
def credit_deposits_task() -> None:
    """Balances are read each minute; a deposit that one shows is on the ledger a minute later."""
    credit_what_is_shown()
