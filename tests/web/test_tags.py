"""Money, times, states and codes look and read the same on every page."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from procurement.web.parts import Level, Series
from procurement.web.templatetags import ui

NOW = datetime(2026, 11, 21, 14, 5, 9, tzinfo=UTC)
Rendered = Callable[..., str]


def plain(html: str) -> str:
    """The text of some markup, as a reader without eyes for styling gets it."""
    text, inside = [], False
    for char in html:
        inside = char == "<" or (inside and char != ">")
        if not inside and char != ">":
            text.append(char)
    return " ".join("".join(text).split())


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{% money 123450 'USD' %}", "1,234.50 USD"),
        ("{% money 118000 'JPY' %}", "118,000 JPY"),
        ("{% money None 'USD' %}", "not known"),
        ("{% money -12000 'EUR' %}", "−120.00 EUR"),
        ("{% movement 50000 'USD' %}", "+500.00 USD"),
        ("{% movement -12000 'USD' %}", "−120.00 USD"),
        ("{% movement 0 'USD' %}", "0.00 USD"),
        ("{% amount 123450 'USD' %}", "1,234.50"),
        ("{% region 'XX' 'Somewhere' %}", "XX Somewhere"),
        ("{% region '' %}", "not known"),
        ("{% badge 'Paid' 'progress' %}", "Paid"),
        ("{{ 1|count_of:'order' }}", "1 order"),
        ("{{ 1200|count_of:'entry|entries' }}", "1,200 entries"),
        ("{{ 'Ana Maria Ruiz'|initials }}", "AR"),
        ("{% copyable '' 'id' %}", ""),
    ],
)
def test_a_tag_says(rendered: Rendered, template: str, text: str) -> None:
    assert plain(rendered(template)) == text


def test_a_region_known_to_the_catalogue_has_its_name(rendered: Rendered) -> None:
    ui.register_region_names({"ZZ": "Nowhere"})

    assert plain(rendered("{% region 'ZZ' %}")) == "ZZ Nowhere"


def test_a_badge_takes_an_object_a_pair_or_words_and_has_an_icon(rendered: Rendered) -> None:
    class State:
        label, tone = "Late", "bad"

    for status in (State(), ("Late", "bad")):
        html = rendered("{% badge status %}", status=status)
        assert 'data-tone="bad"' in html
        assert "<svg" in html
        assert plain(html) == "Late"


def test_an_unknown_tone_is_neutral(rendered: Rendered) -> None:
    assert 'data-tone="neutral"' in rendered("{% badge 'Odd' 'violet' %}")


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (NOW - timedelta(hours=2), "21 Nov 12:05 (2 h2 hours ago)"),
        (NOW - timedelta(hours=25), "20 Nov 13:05"),
        (NOW + timedelta(minutes=30), "21 Nov 14:35 (in 30 min30 minutes)"),
        (datetime(2024, 2, 29, 8, 0, tzinfo=UTC), "29 Feb 2024 08:00"),
    ],
)
@time_machine.travel(NOW, tick=False)
def test_a_time_is_absolute_first_and_relative_only_under_a_day(rendered: Rendered, at: datetime, text: str) -> None:
    html = rendered("{% when at %}", at=at)

    assert plain(html) == text
    assert f'datetime="{at:%Y-%m-%dT%H:%M:%SZ}"' in html


@time_machine.travel(NOW, tick=False)
def test_seconds_are_shown_where_asked(rendered: Rendered) -> None:
    assert plain(rendered("{% when at seconds=True relative=False %}", at=NOW)) == "21 Nov 14:05:09"


@pytest.mark.parametrize(
    ("left", "tone", "words"),
    [
        (timedelta(days=7), "neutral", "(7 d7 days left)"),
        (timedelta(days=5, hours=3, minutes=20), "neutral", "(5 d 3 h5 days 3 hours left)"),
        (timedelta(hours=48), "attention", "(2 d2 days left)"),
        (timedelta(hours=12), "bad", "(12 h12 hours left)"),
        (timedelta(seconds=20), "bad", "(under 1 minunder a minute left)"),
        (timedelta(hours=-2), "bad", "(closed 2 h2 hours ago)"),
    ],
)
@time_machine.travel(NOW, tick=False)
def test_a_deadline_names_its_day_and_what_is_left(rendered: Rendered, left: timedelta, tone: str, words: str) -> None:
    html = rendered("{% deadline at %}", at=NOW + left)

    assert f'class="deadline" data-tone="{tone}"' in html
    assert plain(html).endswith(words)


def test_a_mask_has_one_length_and_is_spelled_for_ears(rendered: Rendered) -> None:
    html = rendered("{% mask 'ZZ42' %}")

    assert "••••-••••-ZZ42" in html
    assert "Code ending Z Z 4 2, hidden" in html


def test_a_revealed_code_is_grouped_with_look_alikes_underlined(rendered: Rendered) -> None:
    html = rendered("{{ code|code_groups }}", code="A0BCDEFGHJKM")

    assert plain(html) == "A0BC-DEFG-HJKM"
    assert "<u>0</u><u>B</u>C" in html


def test_a_revealed_code_is_escaped(rendered: Rendered) -> None:
    assert "<script" not in rendered("{{ code|code_groups }}", code="<script>")


def test_an_id_is_shown_in_full_with_a_named_copy_button(rendered: Rendered) -> None:
    html = rendered("{% copyable 'ORD-1042' 'order id' '/orders/1/' %}")

    assert '<a href="/orders/1/" class="id">ORD-1042</a>' in html
    assert 'aria-label="Copy order id ORD-1042"' in html


def test_a_changed_query_keeps_the_rest_and_goes_to_page_one(rendered: Rendered) -> None:
    template = "{% query_string sort='total' view=None %}"

    assert rendered(template, path="/?region=US&page=4&view=open") == "?region=US&amp;sort=total"


def test_a_page_link_keeps_everything(rendered: Rendered) -> None:
    assert rendered("{% query_string page=2 %}", path="/?region=US&page=4") == "?region=US&amp;page=2"


def test_a_sort_header_turns_round_and_says_its_direction(rendered: Rendered) -> None:
    html = rendered("{% sort_header 'Total' 'total' numeric=True %}", path="/?sort=total&region=US")

    assert 'aria-sort="ascending"' in html
    assert 'href="?sort=-total&amp;region=US"' in html
    assert 'scope="col" class="num"' in html


def test_charts_carry_their_numbers_in_words(rendered: Rendered) -> None:
    series = [Series("Alpha", [1, 2]), Series("Beta", [3, 0])]
    html = rendered("{% bar_chart series days 'Codes each day' %}", series=series, days=["20 Nov", "21 Nov"])

    assert 'role="img" aria-label="Codes each day"' in html
    assert "<title>20 Nov: Alpha 1, Beta 3</title>" in html
    assert html.count("<rect") == 3


def test_charts_use_no_style_attribute(rendered: Rendered) -> None:
    drawn = rendered(
        "{% sparkline v 'Spend' %}{% line_chart p 'Cost' %}", v=[1, 5, 2], p=[("1 Nov", 46.2), ("2 Nov", 47)]
    )

    assert drawn.count("<svg") == 2
    assert "style" not in drawn


def test_a_chart_of_nothing_does_not_fail(rendered: Rendered) -> None:
    assert rendered("{% sparkline v 'Spend' %}{% line_chart p 'Cost' %}", v=[], p=[]) == ""
    assert "<svg" in rendered("{% bar_chart s l 'Codes' %}", s=[], l=[])


def test_each_form_shown_has_a_mark_of_its_own(rendered: Rendered) -> None:
    assert rendered("{% once_token %}") != rendered("{% once_token %}")


def test_a_level_chart_places_readings_in_time_and_between_their_levels(rendered: Rendered) -> None:
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    points = [(noon, 100, "before"), (noon + timedelta(minutes=10), 60, "after"), (noon + timedelta(hours=1), 60, "x")]

    html = rendered(
        "{% level_chart points levels mark 'The balance fell' %}",
        points=points,
        levels=[Level("not taken", 100), Level("taken <", 60, "attention")],
        mark=(noon + timedelta(minutes=5), "sent"),
    )

    dots = [(float(x), float(y)) for x, y in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', html)]
    lines = [float(y) for y in re.findall(r'class="level"[^>]*y1="([\d.]+)"', html)]
    assert [y for _, y in dots] == [lines[0], lines[1], lines[1]]
    assert lines[0] < lines[1]
    assert (dots[1][0] - dots[0][0]) * 6 == pytest.approx(dots[2][0] - dots[0][0], abs=2)
    assert 'aria-label="The balance fell"' in html
    assert "taken &lt;" in html
    assert rendered("{% level_chart p l m 'x' %}", p=[], l=[], m=(noon, "sent")) == ""
