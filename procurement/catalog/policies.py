"""What may be mapped to what, and by whom: pure checks that raise the sentence the page shows."""

from __future__ import annotations

from ledger.money import format_amount
from procurement.catalog.models import Mapping, Product, Sku, ValidatedProduct
from procurement.catalog.regions import canonical
from procurement.errors import Refused
from procurement.staff.access import check_can, check_confirms, people_with
from procurement.staff.models import User
from procurement.staff.permissions import Permission


def differences(sku: Sku, product: Product) -> list[str]:
    """Where a SKU and a product part: region, currency and denomination, each as a clause (R3)."""
    found = []
    if canonical(sku.region) != canonical(product.region):
        found.append(f"the SKU is sold for {sku.region}, the product is for {product.region}")
    if sku.currency != product.currency:
        found.append(f"the SKU is in {sku.currency}, the product in {product.currency}")
    elif sku.face_minor != product.denomination_minor:
        sold, given = (format_amount(minor, sku.currency) for minor in (sku.face_minor, product.denomination_minor))
        found.append(f"the SKU is worth {sold} {sku.currency}, the product {given} {sku.currency}")
    return found


def check_same_card(sku: Sku, product: Product, outcome: str) -> None:
    """SKU and product must agree in region, currency and denomination; `outcome` says what did not happen (R2, R3)."""
    found = differences(sku, product)
    if found:
        raise Refused(f"{sku} and {product.external_id} are not the same card: {'; '.join(found)}. {outcome}")


def check_validated(product: Product) -> None:
    """A live account orders a product only as its sandbox showed it: region, currency and face value (R5)."""
    if product.account.is_sandbox:
        return
    found = ValidatedProduct.objects.filter(account=product.account, external_id=product.external_id).first()
    if found is None:
        raise Refused(
            f"{product} was not validated in the supplier's sandbox. No order was made. "
            "An administrator takes in the file of a sandbox probe that read it."
        )
    seen, now = (
        f"{one.region} {format_amount(one.denomination_minor, one.currency)} {one.currency}" for one in (found, product)
    )
    if seen != now:
        raise Refused(
            f"{product} was validated in the sandbox as {seen}; the supplier now says {now}. No order was made. "
            "An administrator probes the sandbox again and takes in its file."
        )


def check_can_draft(user: User, sku: Sku, product: Product) -> None:
    """Whoever drafts needs the permission; the product must be on offer and the same card (R2)."""
    check_can(user, Permission.MAPPING_DRAFT)
    if not product.active:
        raise Refused(f"{product} is not offered any more. No mapping was drafted. Choose another product.")
    check_same_card(sku, product, "No mapping was drafted. Choose another product, or correct the SKU by an import.")


def check_second_person(user: User, mapping: Mapping) -> None:
    """A mapping is activated by another person than the one who drafted it."""
    if mapping.drafted_by_id != user.pk:
        return
    others = people_with(Permission.MAPPING_ACTIVATE, but=user)
    names = ", ".join(str(person) for person in others) or "a second manager"
    raise Refused(f"You drafted {mapping}, so another person activates it. Nothing was changed. Ask: {names}.")


def check_can_activate(user: User, mapping: Mapping) -> None:
    """A second person with the permission; SKU and product must be the same card, and the product on offer (R3)."""
    check_confirms(user, Permission.MAPPING_ACTIVATE)
    check_second_person(user, mapping)
    check_same_card(mapping.sku, mapping.product, "The mapping was not activated. Retire it and draft one that fits.")
    if not mapping.product.active:
        raise Refused(f"{mapping.product} is not offered any more. The mapping was not activated. Draft another one.")


def check_can_retire(user: User, mapping: Mapping) -> None:
    """Whoever drafts may drop a draft; only those who activate may stop an active mapping."""
    if mapping.state == "draft":
        check_can(user, Permission.MAPPING_DRAFT, Permission.MAPPING_ACTIVATE)
    else:
        check_can(user, Permission.MAPPING_ACTIVATE)
