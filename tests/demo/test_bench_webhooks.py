"""The webhook bench: both addresses take every message, and the table compares them."""

from __future__ import annotations

from typing import Any

import pytest

from procurement.demo.bench import webhooks
from procurement.demo.bench.report import WEBHOOK_MARKS, rewritten
from procurement.demo.bench.webhooks import Intake, as_markdown


@pytest.mark.django_db  # the findings name the server’s version
def test_findings_compare_both_in_one_table() -> None:
    ours = Intake("webhook address", 7, [0.004] * 98 + [0.010, 0.020])
    bare = Intake("bare view, one INSERT", 1, [0.002] * 98 + [0.005, 0.010])
    lines = as_markdown([ours, bare], 100).splitlines()
    assert "dev.py bench webhooks --requests 100" in lines[0]
    last = [cell.strip() for cell in lines[-1].split("|")[1:-1]]
    assert last == ["webhook address ÷ bare view", "", "0.50", "2.0", "2.0"]


def test_section_has_its_own_place_on_the_page() -> None:
    begin, end = WEBHOOK_MARKS
    page = f"<!-- bench: begin -->a<!-- bench: end -->\n{begin}\nold\n{end}\n"
    assert (
        rewritten(page, "new", WEBHOOK_MARKS) == f"<!-- bench: begin -->a<!-- bench: end -->\n{begin}\n\nnew\n\n{end}\n"
    )
    with pytest.raises(ValueError, match="lost its marks"):
        rewritten("nothing", "new", WEBHOOK_MARKS)


@pytest.mark.django_db(transaction=True)
def test_a_message_costs_the_same_queries_however_many_came(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Sent to the very code that is measured, on the test's own database."""
    settings.ROOT_URLCONF, settings.ALLOWED_HOSTS = webhooks.URLCONF, ["localhost"]
    account = webhooks.account_of_the_bench()
    sender, counts = webhooks.Sender(), []
    for _ in range(4):
        sender.send(f"/hooks/{account.hook_slug}/")
        with webhooks.counted_queries() as found:
            sender.send(f"/hooks/{account.hook_slug}/")
        counts.append(len(found))
    assert account.webhook_events.filter(result="being_handled").count() == 8
    assert len(set(counts)) == 1
    assert counts[0] <= 7
