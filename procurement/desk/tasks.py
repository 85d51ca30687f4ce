"""What runs by itself for the whole desk: the record's chain, whose head goes to the log, in another place than the database."""

from __future__ import annotations

import logging
from datetime import timedelta

from procurement.audit.chain import chain_events, head
from procurement.work.registry import periodic

log = logging.getLogger(__name__)


@periodic("audit.chain", every=timedelta(minutes=1))
def chain_audit_task() -> None:
    """Whatever happened up to now cannot be removed or reordered unseen any more (`manage.py verify_audit`)."""
    before, last = head(), chain_events()
    if last is not None and last != before:
        log.info("%s", last)
