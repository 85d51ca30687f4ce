"""All steps of a contract probe, in their order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from procurement.onboarding import buying, steps
from procurement.onboarding.models import ProbeRun


@dataclass(frozen=True)
class Step:
    """One step: what it does, and which steps must have held before it. Only reading steps run at a live account."""

    name: str
    act: Callable[[ProbeRun], str]
    needs: tuple[str, ...] = ()
    reads_only: bool = False


STEPS = (
    Step("balance", steps.read_money, reads_only=True),
    Step("products", steps.read_products, reads_only=True),
    Step("unknown order", steps.ask_for_nothing, reads_only=True),
    Step("books", steps.open_books, ("balance",)),
    Step("mapping", steps.map_sku, ("products",)),
    Step("order", buying.place_one, ("books", "mapping")),
    Step("charge", buying.read_charge, ("order",)),
    Step("no second purchase", buying.send_again, ("order",)),
    Step("changed payload", buying.change_payload, ("order",)),
    Step("changed key", buying.change_key, ("order",)),
    Step("look-up", buying.look_up, ("order",)),
    Step("codes", buying.keep_codes, ("order",)),
    Step("webhook", buying.hear_webhook, ("order",)),
    Step("reconciliation", buying.reconcile, ("codes",)),
    Step("claim", buying.claim, ("codes",)),
    Step("wrong key", steps.use_a_wrong_key),
)
BY_NAME = {step.name: step for step in STEPS}
