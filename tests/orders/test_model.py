"""The model of placing, docs/models/purchase.pml: Spin tries every order of events, and its edges are those of the program."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings

from procurement.orders.states import ATTEMPT, ORDER
from procurement.states import Machine

pytestmark = pytest.mark.any_database
MODEL = Path(settings.ROOT) / "docs" / "models" / "purchase.pml"
INSTALL_LINE = "apt-get install --no-install-recommends spin gcc libc6-dev"
# The part of an order's table that the model covers: from approval until the supplier's id is known, or nothing was bought.
BEING_PLACED = frozenset({"approved", "placing", "unknown", "placed_no_id"})
KEYED, UNKEYED = 1, 0


@dataclass(frozen=True)
class Result:
    """What Spin said: how many errors, and how many states it looked at."""

    errors: int
    states: int


@pytest.fixture
def checker(request: pytest.FixtureRequest) -> str:
    """The compiler that turns Spin's output into a program; both are installed by dev.py where that is its to do."""
    if request.config.getoption("--no-spin"):
        pytest.skip("--no-spin")
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or shutil.which("spin") is None:
        pytest.fail(f"Spin was not found, so the model was not checked. Install it: {INSTALL_LINE}", pytrace=False)
    return compiler


def search(compiler: str, folder: Path, model: str, keyed: int, claim: str = "") -> Result:
    """Look at every state that `model` can reach; with `claim` also at every endless run, under weak fairness.

    Compiled without optimising: that takes longer than the search itself.
    """
    (folder / "model.pml").write_text(model)
    run(folder, "spin", "-a", f"-DKEYED={keyed}", "model.pml")
    flags = ["-DNFAIR=3"] if claim else ["-DSAFETY", "-DNOCLAIM", "-DNOFAIR"]
    run(folder, compiler, "-w", "-O0", *flags, "-o", "pan", "pan.c")
    # Workers with nothing to do are no deadlock (-E). -m is the longest run followed: beyond it the search is not complete.
    said = run(folder, "./pan", "-m200000", *(["-a", "-f", "-N", claim] if claim else ["-E"]))
    assert "max search depth too small" not in said
    errors, states = re.search(r"errors: (\d+)", said), re.search(r"(\d+) states, stored", said)
    assert errors, said
    assert states, said
    return Result(int(errors[1]), int(states[1]))


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.requirement("R20", "R21", "R26", "R31")
@pytest.mark.parametrize("keyed", [KEYED, UNKEYED])
def test_no_order_of_events_buys_twice_or_forgets_a_purchase(checker: str, tmp_path: Path, keyed: int) -> None:
    """Two workers, two attempts, two crashes, every interleaving."""
    found = search(checker, tmp_path, MODEL.read_text(), keyed)

    assert found.errors == 0
    assert found.states > 100_000


@pytest.mark.parametrize("keyed", [KEYED, UNKEYED])
def test_no_attempt_stays_in_the_middle_of_a_sending(checker: str, tmp_path: Path, keyed: int) -> None:
    assert search(checker, tmp_path, MODEL.read_text(), keyed, claim="sending_ends").errors == 0


REAPED = "attempt_moves(a, sending, unknown); order_moves(a, placing, unknown); doubted[a] = true\n    }\n}"
UNCLEAR = "attempt_moves(a, sending, unknown); order_moves(a, placing, unknown); doubted[a] = true\n        fi"
CANCELLED = "attempt_moves(a, ready, void); order_moves(a, approved, cancelled); free_lane(a)"
MISTAKES = {
    "the reaper lets an attempt go out again": (
        UNKEYED,
        REAPED,
        "attempt_moves(a, sending, ready); order_moves(a, placing, approved)\n    }\n}",
    ),
    "the reaper lets an attempt be cancelled": (
        KEYED,
        REAPED,
        "attempt_moves(a, sending, ready); order_moves(a, placing, approved)\n    }\n}",
    ),
    "an unconfirmed attempt goes out again without a key": (UNKEYED, "(KEYED && attempt[a] == unknown", "(attempt[a] == unknown"),
    "the lane is freed while an order is unconfirmed": (UNKEYED, UNCLEAR, UNCLEAR.replace("true\n", "true; free_lane(a)\n")),
    "a cancelled order keeps the lane": (UNKEYED, CANCELLED, CANCELLED.replace("; free_lane(a)", "")),
    "a no to a repetition ends the order": (KEYED, "said == says_no && !doubted[a]", "said == says_no"),
    "a wait for a repetition makes the order ready": (KEYED, "said == says_wait && !doubted[a]", "said == says_wait"),
    "an overtaken worker writes its verdict": (KEYED, ":: !fresh[me]\n    :: else ->", ":: true ->"),
    "a silence counts as a no": (UNKEYED, "third_commit(at[me], says_nothing_clear)", "third_commit(at[me], says_no)"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_found(checker: str, tmp_path: Path, mistake: str) -> None:
    """The check can fail: the same model with one mistake built in."""
    keyed, right, wrong = MISTAKES[mistake]
    model = MODEL.read_text()
    assert model.count(right) == 1

    assert search(checker, tmp_path, model.replace(right, wrong), keyed).errors > 0


def test_without_a_reaper_an_attempt_stays_in_the_middle(checker: str, tmp_path: Path) -> None:
    model = MODEL.read_text().replace("    :: reap(0)\n", "")

    assert search(checker, tmp_path, model, UNKEYED, claim="sending_ends").errors > 0


def modelled(machine: str) -> set[tuple[str, str]]:
    return set(re.findall(rf"\b{machine}_moves\(a, (\w+), (\w+)\)", MODEL.read_text()))


def allowed(machine: Machine, sources: frozenset[str]) -> set[tuple[str, str]]:
    return {(move.source, move.target) for move in machine.moves if move.source in sources}


@pytest.mark.parametrize(
    ("machine", "sources"), [(ATTEMPT, frozenset(ATTEMPT.statuses)), (ORDER, BEING_PLACED)], ids=["attempt", "order"]
)
def test_the_model_has_the_edges_of_the_program(machine: Machine, sources: frozenset[str]) -> None:
    drawn, table = modelled(machine.name) - {("from", "to")}, allowed(machine, sources)

    assert drawn - table == set(), "the model moves where the program refuses"
    assert table - drawn == set(), "the program moves where the model was never looked at"


def test_the_model_moves_by_its_two_named_steps_only() -> None:
    assigned = re.findall(r"^ .*?\b((?:attempt|order)\[[^=\n]*\] = [^;\n}]*)", MODEL.read_text(), flags=re.M)

    assert assigned == ["attempt[a] = to", "order[a] = to"]
