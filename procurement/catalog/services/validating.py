"""Products validated in a supplier's sandbox: the file a probe gives there, taking it in here, and what it allows (R5)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from django.db import transaction
from django.utils import timezone
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from procurement.audit.services import record
from procurement.catalog.models import Product, ValidatedProduct
from procurement.errors import Refused
from procurement.staff.access import check_can
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.suppliers.models import SupplierAccount

LARGEST = 2 * 1024 * 1024
FIELDS = ("region", "currency", "denomination_minor")


class Fields(BaseModel):
    """One product; the face value in minor units, the region in the supplier's own word."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    external_id: Annotated[str, Field(min_length=1, max_length=100)]
    region: Annotated[str, Field(min_length=1, max_length=20)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    denomination_minor: Annotated[int, Field(gt=0, lt=10**15)]


class ValidatedFile(BaseModel):
    """What one probe validated at one account of a supplier's sandbox."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["countersign validated products 1"] = "countersign validated products 1"
    dialect: str
    environment: Literal["sandbox"] = "sandbox"
    account: str
    probe: Annotated[str, Field(min_length=1, max_length=40)]
    validated_at: AwareDatetime
    products: Annotated[tuple[Fields, ...], Field(min_length=1, max_length=5_000)]


def fields_of(products: Sequence[Product]) -> list[Fields]:
    """What is validated of each product, of those a reading just brought."""
    return [Fields(external_id=one.external_id, **{name: getattr(one, name) for name in FIELDS}) for one in products]


def validated_file(account: SupplierAccount, probe: str, validated_at: datetime, products: Sequence[Fields]) -> bytes:
    """The file of a probe that passed, as JSON."""
    found = ValidatedFile(
        dialect=account.dialect,
        account=account.code,
        probe=probe,
        validated_at=validated_at,
        products=tuple(products),
    )
    return found.model_dump_json(indent=1).encode()


def read_validated(account: SupplierAccount, content: bytes) -> ValidatedFile:
    """The file, checked in full; Refused names what does not fit."""
    nothing = "Nothing was taken in."
    if len(content) > LARGEST:
        raise Refused(f"The file is larger than 2 MB. {nothing}")
    try:
        found = ValidatedFile.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise Refused(f"This is no file of validated products: {where}: {first['msg']}. {nothing}") from None
    if found.dialect != account.dialect:
        raise Refused(f"The file is of another supplier than {account}. {nothing}")
    if found.validated_at > timezone.now():
        raise Refused(f"The file says that it was made in the future. {nothing} Check the clocks.")
    if len({product.external_id for product in found.products}) != len(found.products):
        raise Refused(f"The file names a product twice. {nothing}")
    return found


def take_in_validated(*, by: User, account: SupplierAccount, content: bytes) -> int:
    """Take in the file of a sandbox's probe and return how many products it validated; those it does not name stay."""
    check_can(by, Permission.ACCOUNT_MANAGE)
    found, now = read_validated(account, content), timezone.now()
    rows = [
        ValidatedProduct(
            account=account,
            probe=found.probe,
            validated_at=found.validated_at,
            taken_by=by,
            taken_at=now,
            **product.model_dump(),
        )
        for product in found.products
    ]
    with transaction.atomic():
        ValidatedProduct.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["account", "external_id"],
            update_fields=[*FIELDS, "probe", "validated_at", "taken_by", "taken_at"],
        )
        digest = hashlib.sha256(content).hexdigest()
        record("account.validated", by=by, subject=account, count=len(rows), probe=found.probe, sha256=digest)
    return len(rows)
