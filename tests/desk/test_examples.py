"""The examples for operators name what exists: metrics, labels, periodic jobs, and the commands the demo starts too."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from procurement.demo.supervisor import SCHEDULER, WORKER, web_command
from procurement.desk.metrics import METRICS, exposition
from procurement.suppliers.states import ACCOUNT
from procurement.work.registry import JOBS

EXAMPLES = Path(settings.ROOT, "docs", "examples")
UNITS = {"countersign-web": web_command(8200), "countersign-worker@": WORKER, "countersign-scheduler": SCHEDULER}


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((EXAMPLES / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.django_db
def test_every_metric_of_the_alerts_is_there() -> None:
    told = set(re.findall(r"^# TYPE (\w+) gauge$", exposition(), re.MULTILINE))
    named = {name for rule in rules() for name in re.findall(r"countersign_\w+", rule["expr"])}

    assert len(named) >= 10
    assert named <= told
    assert told == {f"countersign_{metric.name}" for metric in METRICS}


def test_every_job_and_state_of_the_alerts_exists() -> None:
    expressions = " ".join(rule["expr"] for rule in rules())

    assert set(re.findall(r'periodic_job="([^"]+)"', expressions)) <= set(JOBS)
    assert set(re.findall(r'[{,]state!?="([^"]+)"', expressions)) <= set(ACCOUNT.statuses)


def test_every_alert_says_what_it_means_and_whom_it_wakes() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert len(rule["annotations"]["summary"]) > 30, rule["alert"]


@pytest.mark.parametrize("name", UNITS)
def test_the_units_start_what_the_demo_starts(name: str) -> None:
    """Only numbers, names and places may differ."""
    unit = (EXAMPLES / f"{name}.service").read_text()
    found = re.search(r"^ExecStart=\S+/bin/(.+)$", unit, re.MULTILINE)
    assert found is not None
    words = shlex.split(found[1])
    ours = [word for word in UNITS[name] if word not in {"-m", "--quiet"}]

    assert words[0] == ours[0]
    assert {word for word in words if word.startswith("--without")} == {w for w in ours if w.startswith("--without")}
    assert [word for word in words if "procurement." in word] == [word for word in ours if "procurement." in word]
    assert [word for word in words if word in {"threads", "gthread", "worker", "beat"}] == [
        word for word in ours if word in {"threads", "gthread", "worker", "beat"}
    ]
