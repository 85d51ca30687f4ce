"""The bench measures every page and finds one that grows. Nothing here depends on how fast the machine is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from procurement.demo.bench.measuring import PAGES, BenchFailed, Page, Sample, measure
from procurement.demo.bench.report import BEGIN, END, as_markdown, growing, rewritten
from procurement.demo.bench.running import run
from procurement.demo.bench.scratch import bench_settings
from procurement.staff.models import User
from tests.work.child import ROOT

GROWING = Page("A growing page", "/growing/", "manager")
URLCONF = "tests.demo.growing"


def test_bench_measures_every_page_and_leaves_the_data_folder_alone(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "bench", "--orders", "10", "--requests", "1"],
        cwd=ROOT,
        env={**os.environ, "COUNTERSIGN_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [page.name for page in PAGES if f"| {page.name} " not in done.stdout] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.any_database
def test_growing_page_is_named_and_no_other(django_db_blocker: DjangoDbBlocker) -> None:
    with django_db_blocker.unblock():
        findings = run([10, 40], 1, print, pages=[*PAGES, GROWING], urlconf=URLCONF)
        shown = as_markdown(findings)
    (named,) = growing(findings)
    assert named.startswith("A growing page (/growing/): ")
    assert "| A growing page " in shown


def test_page_that_does_not_answer_stops_the_bench(manager: User) -> None:
    lost = Page("A lost page", "/lost/", "manager")
    with bench_settings(URLCONF), pytest.raises(BenchFailed, match=r"A lost page .* answered 404"):
        measure({"manager": manager}, [lost], 1)


def test_percentile_is_a_time_that_was_measured() -> None:
    sample = Sample(queries=1, seconds=[number / 1000 for number in range(1, 101)], body=b"")
    assert sample.p95 == 0.095
    assert Sample(queries=1, seconds=[0.2, 0.1], body=b"").p95 == 0.2


def test_only_the_marked_section_is_rewritten() -> None:
    page = f"Before\n{BEGIN}\nold\n{END}\nAfter\n"
    assert rewritten(page, "new") == f"Before\n{BEGIN}\n\nnew\n\n{END}\nAfter\n"
    assert rewritten(rewritten(page, "new"), "new") == rewritten(page, "new")
    with pytest.raises(ValueError, match="lost its marks"):
        rewritten("no marks", "new")


def test_the_page_of_findings_has_its_marks() -> None:
    assert "new" in rewritten((ROOT / "docs" / "performance.md").read_text(encoding="utf-8"), "new")
