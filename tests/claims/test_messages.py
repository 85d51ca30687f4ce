"""What customers are told: the five required texts, and what no text may hold."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured

from procurement.claims import checks
from procurement.claims.messages import (
    DELAYED_AFTER,
    MESSAGES,
    REQUIRED,
    Message,
    fill,
    lint_template,
    message_for,
    missing_messages,
    refuse_bad_templates,
)
from procurement.orders.states import ORDER


@pytest.mark.requirement("R75", "R76", "R77", "R78", "R79", "R80")
def test_the_five_messages_are_there() -> None:
    assert list(REQUIRED) == ["processing", "delayed", "failed", "region mismatch", "manual review"]
    assert missing_messages() == []
    assert checks.check_messages() == []


@pytest.mark.requirement("R80")
@pytest.mark.parametrize("name", list(REQUIRED))
def test_the_program_refuses_to_start_while_one_is_missing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = {key: message for key, message in MESSAGES.items() if key != REQUIRED[name][0]}
    assert missing_messages(lacking) == [name]
    monkeypatch.setattr(checks, "missing_messages", lambda: missing_messages(lacking))
    (error,) = checks.check_messages()
    assert error.is_serious()
    assert name in error.msg


@pytest.mark.requirement("R81", "R82", "N12")
@pytest.mark.parametrize("key", list(MESSAGES))
def test_every_message_passes_the_lint_and_fills(key: str) -> None:
    assert lint_template(MESSAGES[key].text) == []
    text = fill(key, customer_order="10421", product="PlayStation 50 USD", region="United States")
    assert "10421" in text
    assert "{" not in text


@pytest.mark.requirement("R81", "R82", "N12")
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Your code is {code}", "placeholder {code}"),
        ("Your code ends in {last4}", "placeholder {last4}"),
        ("{customer_order.codes}", "placeholder {customer_order.codes}"),
        ("Broken {", "broken placeholder"),
        ("It comes within a while", "speed"),
        ("It comes in 24 hours", "speed"),
        ("You get it instantly", "speed"),
        ("We answer soon", "speed"),
        ("Delivery today", "speed"),
        ("Send us your password", "account"),
        ("Send us the one-time number", "account"),
        ("Send us your login", "account"),
        ("Our supplier made a mistake", "supplier"),
        ("PSN:B2B made a mistake", "supplier"),
        ("Alpha made a mistake", "supplier"),
        ("Use a VPN", "way around"),
        ("Make a new account", "way around"),
        ("Change your region", "way around"),
    ],
)
def test_a_template_that_may_not_be_sent_is_named_with_its_fault(text: str, why: str) -> None:
    assert any(why in reason for reason in lint_template(text))
    with pytest.raises(ImproperlyConfigured, match="The message “Bad”"):
        refuse_bad_templates({"bad": Message("bad", "Bad", text)})


@pytest.mark.requirement("R75", "R76", "R77", "R79")
@pytest.mark.parametrize("state", list(ORDER.statuses))
def test_every_state_of_an_order_has_a_message(state: str) -> None:
    assert message_for("", state) in MESSAGES


@pytest.mark.requirement("R75", "R76")
def test_an_order_on_its_way_is_delayed_after_a_while() -> None:
    assert message_for("", "paid", DELAYED_AFTER) == "processing"
    assert message_for("", "paid", DELAYED_AFTER + timedelta(seconds=1)) == "delayed"
    assert message_for("", "unknown", timedelta(days=9)) == "manual_review"
    assert message_for("", "supplier_failed") == "failed"


@pytest.mark.requirement("R78")
def test_the_verdict_comes_before_the_state_of_the_order() -> None:
    assert message_for("region_supplier", "codes_stored") == "region_supplier"
