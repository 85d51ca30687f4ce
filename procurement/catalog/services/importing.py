"""Importing a SKU list: first a dry run that changes nothing, then applying exactly what it showed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from typing import Any, cast

from django.db import IntegrityError, transaction
from django.utils import timezone

from procurement.audit.services import record
from procurement.catalog.models import Mapping, Sku, SkuImport
from procurement.catalog.skulist import judging
from procurement.catalog.skulist.judging import ADD, CHANGE, Line
from procurement.catalog.skulist.reading import read_file
from procurement.catalog.skulist.rules import read_line
from procurement.errors import Refused, StaleState
from procurement.staff.access import check_can
from procurement.staff.models import User
from procurement.staff.permissions import Permission

WRITTEN = ("title", "region", "currency", "face_minor", "active", "updated_at")
CHUNK = 500


class _Stale(Exception):
    """The SKUs changed since the dry run; carries the lines as they would be now."""

    def __init__(self, lines: list[Line]) -> None:
        super().__init__("stale")
        self.lines = lines


def dry_run(*, by: User, file_name: str, content: bytes) -> SkuImport:
    """Read an uploaded list and keep what importing it would do, line by line; no SKU is touched.

    Raises Refused with one sentence for a file that is no SKU list.
    """
    check_can(by, Permission.SKU_IMPORT)
    file = read_file(content)
    lines = judging.lines_of(read_line(file.header, line) for line in file.lines)
    return SkuImport.objects.create(
        file_name=_shown_name(file_name),
        sha256=hashlib.sha256(content).hexdigest(),
        uploaded_by=by,
        notes=file.notes,
        lines=cast("list[dict[str, Any]]", _judged(lines)[0]),
    )


def _shown_name(name: str) -> str:
    """The file's own name without its folder, printable and short."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(char for char in last if char.isprintable())[:200] or "list.csv"


def apply_import(*, by: User, sku_import: SkuImport) -> dict[str, int]:
    """Do what the dry run showed and return how many lines had each outcome; done already = the first result again.

    Raises StaleState, after replacing the dry run by a new one, when the SKUs changed since it was shown; Refused when
    there is nothing to import. SKUs that the list does not name stay as they are.
    """
    check_can(by, Permission.SKU_IMPORT)
    shown = cast("list[Line]", sku_import.lines)
    try:
        with transaction.atomic():
            if not _claim(by, sku_import):
                sku_import.refresh_from_db()
                return judging.counts_of(cast("list[Line]", sku_import.lines))
            now_lines, existing = _judged(shown)
            if now_lines != shown:
                raise _Stale(now_lines)
            return _write(by, sku_import, now_lines, existing)
    except _Stale as stale:
        SkuImport.objects.filter(pk=sku_import.pk, applied_at__isnull=True).update(lines=stale.lines)
        raise _changed_meanwhile() from None
    except IntegrityError:
        raise _changed_meanwhile() from None


def _changed_meanwhile() -> StaleState:
    return StaleState(
        "SKUs changed since this dry run was shown. Nothing was imported. "
        "The dry run was made again: look at its lines, then import."
    )


def _claim(by: User, sku_import: SkuImport) -> bool:
    """True for exactly one of several people who press Import at once; rolled back with everything else on failure."""
    claimed = SkuImport.objects.filter(pk=sku_import.pk, applied_at__isnull=True).update(
        applied_at=timezone.now(), applied_by=by
    )
    return claimed == 1


def _judged(lines: Sequence[Line]) -> tuple[list[Line], dict[str, Sku]]:
    """The lines against the SKUs there are now, and those SKUs by code."""
    existing = {sku.code: sku for sku in Sku.objects.all()}
    active = Mapping.objects.filter(state="active").values_list("sku_id", flat=True)
    return judging.judge(lines, existing, frozenset(active)), existing


def _write(by: User, sku_import: SkuImport, lines: Sequence[Line], existing: Dict[str, Sku]) -> dict[str, int]:
    counts = judging.counts_of(lines)
    if not counts[ADD] + counts[CHANGE]:
        raise Refused("This list adds and changes nothing. Nothing was imported.")
    now = timezone.now()
    added = [_sku(line, now) for line in lines if line["outcome"] == ADD]
    Sku.objects.bulk_create(added, batch_size=CHUNK)
    for line in lines:
        if line["outcome"] == CHANGE:
            _change(by, existing[line["code"]], line, now)
    record(
        "sku.imported",
        by=by,
        subject=sku_import,
        count=counts[ADD] + counts[CHANGE],
        file=sku_import.file_name,
        added=counts[ADD],
        changed=counts[CHANGE],
        refused=counts[judging.REFUSE],
    )
    return counts


def _sku(line: Line, now: Any) -> Sku:
    return Sku(code=line["code"], created_at=now, updated_at=now, **line["values"])


def _change(by: User, sku: Sku, line: Line, now: Any) -> None:
    """One conditional UPDATE: a SKU that another import changed in the meantime makes the whole import stale."""
    written = Sku.objects.filter(pk=sku.pk, updated_at=sku.updated_at).update(updated_at=now, **line["values"])
    if written != 1:
        raise _changed_meanwhile()
    record("sku.changed", by=by, subject=sku, what="; ".join(line["changes"]))
