"""States of a contract probe, and the words for what its steps and the contract's clauses came to."""

from __future__ import annotations

from procurement.states import Machine, Move, Status

RUNNING, PASSED, FAILED, STOPPED = "running", "passed", "failed", "stopped"

PROBE = Machine(
    name="contract probe",
    statuses={
        RUNNING: Status("Running", "progress", "system"),
        PASSED: Status("Passed", "good", "nobody"),
        FAILED: Status("Failed", "bad", "administrator"),
        STOPPED: Status("Stopped", "neutral", "nobody"),
    },
    moves=(
        Move(RUNNING, PASSED, "probe.passed", "every step held and no clause was contradicted"),
        Move(RUNNING, FAILED, "probe.failed", "a step failed or a clause was contradicted"),
        Move(RUNNING, STOPPED, "probe.stopped", "administrator"),
    ),
)

WAITING, HELD, BROKE, SKIPPED = "waiting", "held", "failed", "skipped"
STEP_STATUSES = {
    WAITING: Status("Waiting", "neutral", "system"),
    HELD: Status("Held", "good", "nobody"),
    BROKE: Status("Failed", "bad", "administrator"),
    SKIPPED: Status("Not run", "neutral", "nobody"),
}
UNDER_WAY = Status("Under way", "progress", "system")

# What a run says of a clause. NOT_SEEN: the clause stands as documented or assumed, and no more.
OBSERVED, CONTRADICTED, NOT_SEEN = "observed", "contradicted", "not_seen"
DOCUMENTED, ASSUMED = "documented", "assumed"


def verdict_status(verdict: str, source: str) -> Status:
    """The verdict in words: observed, contradicted, or only documented or assumed."""
    if verdict == NOT_SEEN:
        return Status(f"{source.capitalize()} only", "neutral", "nobody")
    return {
        OBSERVED: Status("Observed", "good", "nobody"),
        CONTRADICTED: Status("Contradicted", "bad", "administrator"),
    }[verdict]
