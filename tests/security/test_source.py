"""What the program's own source does nowhere, found by reading it: each a way in that no test of a page would find."""

from __future__ import annotations

import ast
import base64
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from string import Formatter

import pytest
from django.conf import settings

from procurement.claims.messages import fill
from procurement.claims.verdict import TABLE
from procurement.orders.views.approvals import DECISIONS
from procurement.staff.session_store import SessionStore
from procurement.suppliers.models import new_hook_slug

ROOT = Path(settings.ROOT)
# The sandbox and the demo are programs of their own: they start processes, and make things up.
DESK = [
    path
    for folder in ("procurement", "ledger")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if not {"migrations", "sandbox", "demo"} & set(path.relative_to(ROOT).parts)
]
# Names of tables, columns and triggers, parts of statements, and a mark for each value are put into these statements; all of
# them come from the models, the rules and constants.
NAMES_IN_SQL = {
    "ledger/queries.py",
    "ledger/sending.py",
    "procurement/reconciliation/pairs.py",
    "procurement/triggers.py",
    "procurement/vault/keyring.py",
    "procurement/vault/rotation.py",
}
# Where something is encrypted or signed; each is in docs/protection.md.
CRYPTOGRAPHY = {
    "procurement/staff/factor.py",
    "procurement/vault/passphrase.py",
    "procurement/vault/primitives.py",
}
CODE_OUT_OF_TEXT = {"eval", "exec", "compile", "__import__"}
RUN_BY_SQL = {"execute", "executemany", "raw", "extra", "RawSQL"}
FORBIDDEN_MODULES = {"subprocess", "pickle", "marshal", "shelve", "yaml", "xml", "ctypes", "jinja2"}


def called(node: ast.AST) -> str:
    """The last part of the name of what is called."""
    if not isinstance(node, ast.Call):
        return ""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def is_put_together(node: ast.AST) -> bool:
    """Whether a text is made of parts at run time: an f-string, a sum, `format`, or `join`."""
    return isinstance(node, (ast.JoinedStr, ast.BinOp)) or called(node) in {"format", "join"}


def modules(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {name.name for name in node.names}
    return {node.module or ""} if isinstance(node, ast.ImportFrom) else set()


def makes_code(node: ast.AST) -> bool:
    """eval and its like, as bare names: re.compile is another thing; and templates made at run time."""
    bare = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CODE_OUT_OF_TEXT
    return bare or called(node) in {"Template", "from_string"}


def builds_sql(node: ast.AST) -> bool:
    return called(node) in RUN_BY_SQL and any(is_put_together(part) for part in node.args)  # type: ignore[attr-defined]


def builds_a_pattern(node: ast.AST) -> bool:
    """A regular expression with something in it that was not escaped."""
    is_re = isinstance(node, ast.Call) and getattr(getattr(node.func, "value", None), "id", "") == "re"
    if not is_re or not node.args or not isinstance(node.args[0], ast.JoinedStr):  # type: ignore[attr-defined]
        return False
    parts = [part.value for part in node.args[0].values if isinstance(part, ast.FormattedValue)]  # type: ignore[attr-defined]
    return any(called(part) != "escape" and not is_constant(part) for part in parts)


def formats_what_it_got(node: ast.AST) -> bool:
    """`format` of anything but a text written there or an entry of a table of constants; `%` of more than one value too."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return isinstance(node.right, (ast.Tuple, ast.Dict)) and not isinstance(node.left, ast.Constant)
    if called(node) not in {"format", "format_map"} or not isinstance(node.func, ast.Attribute):  # type: ignore[attr-defined]
        return False
    at: ast.AST = node.func.value  # type: ignore[attr-defined]
    while isinstance(at, (ast.Attribute, ast.Subscript, ast.Call)):
        at = at.func if isinstance(at, ast.Call) else at.value
    return not (isinstance(at, ast.Constant) or is_constant(at) or (isinstance(at, ast.Name) and at.id == "super"))


def is_constant(node: ast.AST) -> bool:
    """A name in capitals: a part of a pattern written beside it."""
    return isinstance(node, ast.Name) and node.id.strip("_").isupper()


def imports_what_is_forbidden(node: ast.AST) -> bool:
    return bool({name.partition(".")[0] for name in modules(node)} & FORBIDDEN_MODULES)


def rolls_dice(node: ast.AST) -> bool:
    """Chance that can be foretold."""
    return "random" in modules(node)


def uses_cryptography(node: ast.AST) -> bool:
    return any(name.startswith("cryptography.hazmat") for name in modules(node))


def files_that(does: Callable[[ast.AST], bool], paths: list[Path]) -> Iterator[str]:
    for path in paths:
        if any(does(node) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))):
            yield str(path.relative_to(ROOT))


def test_no_text_becomes_code() -> None:
    assert list(files_that(makes_code, DESK)) == []


def test_no_command_is_run_and_nothing_is_read_back_that_could_be_code() -> None:
    assert list(files_that(imports_what_is_forbidden, DESK)) == []


@pytest.mark.django_db
def test_what_nobody_may_guess_is_made_by_the_systems_own_chance() -> None:
    # Which of several free places a call takes is no secret.
    assert list(files_that(rolls_dice, DESK)) == ["procurement/suppliers/budget.py"]
    key = SessionStore()._get_new_session_key()  # type: ignore[attr-defined]
    assert len(base64.urlsafe_b64decode(new_hook_slug() + "==")) * 8 >= 128
    assert len(key) * math.log2(36) >= 128


def test_values_reach_the_database_as_parameters() -> None:
    assert set(files_that(builds_sql, DESK)) == NAMES_IN_SQL


def test_no_format_string_comes_from_outside() -> None:
    # Statements of our own, sentences of the table of verdicts, and what is said of a decision: each a constant a line above.
    named = {"ledger/sending.py", "procurement/claims/verdict.py", "procurement/orders/views/approvals.py"}
    assert set(files_that(formats_what_it_got, DESK)) == named
    for text in (*(row.sentence for row in TABLE.values()), *(said for _, said in DECISIONS.values())):
        assert all(name is None or name.isidentifier() for _, name, *_ in Formatter().parse(text))
    # Filled in, a field is text.
    assert "{product.__class__}" in fill("delayed", customer_order="{product.__class__}", product="p", region="US")


def test_what_is_put_into_a_pattern_is_escaped() -> None:
    assert list(files_that(builds_a_pattern, DESK)) == []


def test_primitives_are_used_in_few_places_and_are_the_approved_ones() -> None:
    assert set(files_that(uses_cryptography, DESK)) == CRYPTOGRAPHY


@pytest.mark.parametrize(
    ("source", "does"),
    [
        ("eval(text)", makes_code),
        ("Template(text).render()", makes_code),
        ("cursor.execute(f'SELECT {name}')", builds_sql),
        ("Order.objects.raw('SELECT ' + name)", builds_sql),
        ("Order.objects.extra('a = {}'.format(name))", builds_sql),
        ("re.search(rf'^{name}$', text)", builds_a_pattern),
        ("said.format(order=order)", formats_what_it_got),
        ("order.reason.format_map(facts)", formats_what_it_got),
        ("text % (name, place)", formats_what_it_got),
        ("from xml.etree import ElementTree", imports_what_is_forbidden),
        ("import pickle", imports_what_is_forbidden),
        ("from random import choice", rolls_dice),
        ("from cryptography.hazmat.primitives.ciphers.modes import ECB", uses_cryptography),
    ],
)
def test_each_of_it_would_be_found(source: str, does: Callable[[ast.AST], bool]) -> None:
    assert any(does(node) for node in ast.walk(ast.parse(source)))


@pytest.mark.parametrize(
    ("source", "does"),
    [
        ("re.compile('a')", makes_code),
        ("cursor.execute('SELECT %s', [name])", builds_sql),
        ("re.search(rf'^{re.escape(name)}$', text)", builds_a_pattern),
        ("MESSAGES[key].text.format(order=order)", formats_what_it_got),
        ("'{}, {}'.format(one, other)", formats_what_it_got),
        ("count % size", formats_what_it_got),
    ],
)
def test_what_is_harmless_would_not(source: str, does: Callable[[ast.AST], bool]) -> None:
    assert not any(does(node) for node in ast.walk(ast.parse(source)))
