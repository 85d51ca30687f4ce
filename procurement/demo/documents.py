"""Pages under docs/ that are written from the code, so that they can't drift from it."""

from __future__ import annotations

import ast
import csv
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver

from procurement.approvals.states import APPROVAL
from procurement.bookkeeping.postings import as_markdown as postings_page
from procurement.bookkeeping.states import CORRECTION, DEPOSIT
from procurement.catalog.states import MAPPING
from procurement.claims.states import CASE, CLAIM
from procurement.demo.ownership import DIFFERS, Rule
from procurement.onboarding.states import PROBE
from procurement.orders.states import ATTEMPT, CODE, ORDER, UNCLAIMED
from procurement.people.states import INVITATION, PROPOSAL
from procurement.reconciliation.states import SIGN_OFF
from procurement.staff.permissions import Permission
from procurement.staff.roles import ROLES, Role
from procurement.states import Machine
from procurement.suppliers.states import ACCOUNT
from procurement.terms.states import ACCESS, PRICE_LIST, QUESTION, STATEMENT

MACHINES = (
    *(ORDER, ATTEMPT, UNCLAIMED, CODE, APPROVAL, MAPPING, ACCOUNT, CASE, CLAIM, DEPOSIT, CORRECTION, SIGN_OFF),
    *(STATEMENT, QUESTION, PRICE_LIST, ACCESS, PROBE, INVITATION, PROPOSAL),
)
WRITTEN_BY = "<!-- Written by `python3 dev.py manage docs`; change the code, not this page. -->\n"


def states_page() -> str:
    """Every state machine: a diagram, its states with their owners, its moves."""
    return "\n".join([WRITTEN_BY, "# States\n", *(machine_section(machine) for machine in MACHINES)])


def machine_section(machine: Machine) -> str:
    lines = [f"## {machine.name.capitalize()}\n", "```mermaid", "stateDiagram-v2"]
    lines += [f"    {move.source} --> {move.target}" for move in machine.moves]
    lines += ["```\n", "| state | shown as | tone | who acts next |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {name} | {status.label} | {status.tone} | {status.owner} |" for name, status in machine.statuses.items()
    ]
    lines += ["", "| from | to | caused by | event |", "| --- | --- | --- | --- |"]
    lines += [f"| {move.source} | {move.target} | {move.caused_by} | {move.event} |" for move in machine.moves]
    return "\n".join([*lines, ""])


def named_views(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    """Each URL name with its view."""
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            inner = f"{prefix}{entry.namespace}:" if entry.namespace else prefix
            yield from named_views(entry, inner)
        elif isinstance(entry, URLPattern) and entry.name:
            yield f"{prefix}{entry.name}", entry.callback


def permissions_page() -> str:
    """Roles against permissions, and what each address asks for."""
    names = list(ROLES)
    lines = [WRITTEN_BY, "# Roles and permissions\n"]
    lines += [f"- **{role.label}** (`{role.name}`): {role.description}" for role in ROLES.values()]
    lines += ["", "| permission | " + " | ".join(names) + " |", "| --- |" + " --- |" * len(names)]
    for permission in Permission:
        cells = ["yes" if permission in ROLES[name].permissions else "" for name in names]
        lines.append(f"| `{permission}` | " + " | ".join(cells) + " |")
    lines += [
        "",
        "## Addresses\n",
        "An address needs one of the permissions named; nobody gets in without signing in first.\n",
    ]
    lines += ["| address | needs |", "| --- | --- |"]
    views = dict(named_views())
    lines += [f"| `{name}` | {needs_of(view)} |" for name, view in sorted(views.items())]
    lines += [
        "",
        "## One's own and somebody else's\n",
        "Where it matters whose it is: what each role may do there with its own / with somebody else's. An empty cell: the",
        "role does not get there. At every other address with an object, what the table above says holds for both.\n",
        "| address | one's own is it to who | " + " | ".join(names) + " |",
        "| --- | --- |" + " --- |" * len(names),
    ]
    lines += [
        f"| `{name}` | {rule.who} | "
        + " | ".join(own_and_foreign(role, rule, views[name]) for role in ROLES.values())
        + " |"
        for name, rules in sorted(DIFFERS.items())
        for rule in rules
    ]
    return "\n".join([*lines, ""])


def own_and_foreign(role: type[Role], rule: Rule, view: Callable[..., Any]) -> str:
    if not gets_there(role, view):
        return ""
    return " / ".join("yes" if rule.allows(role, own=own) else "no" for own in (True, False))


def gets_there(role: type[Role], view: Callable[..., Any]) -> bool:
    permissions = getattr(view, "required_permissions", ())
    return not permissions or not role.permissions.isdisjoint(permissions)


def needs_of(view: Callable[..., Any]) -> str:
    if not getattr(view, "login_required", True):
        return "no sign-in"
    permissions = getattr(view, "required_permissions", ())
    return " or ".join(f"`{permission}`" for permission in permissions) or "sign-in only"


def marked_tests() -> dict[str, list[str]]:
    """Requirement ids with the tests that carry `@pytest.mark.requirement(...)` for them."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((settings.ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                for requirement in marks_of(node):
                    found[requirement].append(f"{path.relative_to(settings.ROOT)}::{node.name}")
    return found


def marks_of(function: ast.FunctionDef) -> Iterator[str]:
    for mark in function.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func).endswith("mark.requirement"):
            yield from (str(argument.value) for argument in mark.args if isinstance(argument, ast.Constant))


def requirements_page() -> str:
    """R1 to R115 in the project's own words, each with a test that shows it, or "not yet"."""
    tests = marked_tests()
    with (settings.ROOT / "docs" / "requirements.csv").open(encoding="utf-8", newline="") as source:
        rows = list(csv.DictReader(source))
    unknown = sorted(name for name in set(tests) - {row["id"] for row in rows} if name.startswith("R"))
    if unknown:
        raise ValueError(f"Tests name requirements that docs/requirements.csv does not list: {', '.join(unknown)}")
    shown = sum(1 for row in rows if row["id"] in tests)
    lines = [WRITTEN_BY, "# Requirements\n", f"{shown} of {len(rows)} are shown by a test.\n"]
    lines += ["| id | what must hold | shown by |", "| --- | --- | --- |"]
    for row in rows:
        names = tests.get(row["id"], [])
        words = "<br>".join(f"`{name}`" for name in names[:3]) or "not yet"
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        lines.append(f"| {row['id']} | {row['words']} | {words}{more} |")
    return "\n".join([*lines, ""])


PAGES: dict[str, Callable[[], str]] = {
    "states.md": states_page,
    "permissions.md": permissions_page,
    "postings.md": postings_page,
    "requirements.md": requirements_page,
}


def stale_pages(folder: Path) -> list[str]:
    """Names of generated pages that differ from what the code says now."""
    return [
        name
        for name, write in PAGES.items()
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != write()
    ]


def write_pages(folder: Path) -> None:
    for name, write in PAGES.items():
        (folder / name).write_text(write(), encoding="utf-8")
