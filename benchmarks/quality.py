"""Checks: how many rows of the storefront one core checks in a second, section by section.

    python benchmarks/quality.py [--quick] [--json]

Facts are written to Parquet first, and are in the page cache then. Structure is every check of files, columns, order,
keys and references, digests included. Figures are rows per second of processor time, with one thread.
"""

from __future__ import annotations

import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import DATAGEN, arguments, environment, finish, interleaved, median, publish, table
from sim.quality.check import findings
from sim.quality.checks.scope import Scope
from sim.quality.dataset import open_dataset
from sim.quality.declared import Declared, declared
from sim.quality.finding import Section
from sim.quality.score import grade

BIRTHS = "400/day"
QUICK = "40/day"
SECTIONS: tuple[Section, ...] = ("structure", "values")


def measure(births: str, folder: Path, end: str = "2026-01-01") -> dict[str, Any]:
    """Rows a second and core of each section, on a storefront with so many new customers."""
    changed = f"entities.customer.arrivals.rate={births}"
    run = ("run", "storefront", "--set", changed, "--end", end, "--to", f"parquet:{folder}", "--workers", "2", "-q")
    finish([*DATAGEN, *run])
    with open_dataset(str(folder), threads=1) as data:
        known = declared(data.manifest, "storefront", {"entities.customer.arrivals.rate": births})
        scope, rows = Scope(data, known), sum(map(data.rows, data.streams))
        assert isinstance(known, Declared)
        taken = interleaved({section: partial(_seconds, scope, section) for section in SECTIONS})
    figures = {section: rows / median(seconds) for section, seconds in taken.items()}
    return {"rows": rows, "rows_per_s_per_core": figures, "environment": environment()}


def _seconds(scope: Scope, section: Section) -> float:
    began = time.process_time()
    verdict = grade(findings(scope, [section]))
    assert verdict.sound, verdict.failed
    return time.process_time() - began


def describe(result: dict[str, Any]) -> str:
    """The figures as a table."""
    figures = result["rows_per_s_per_core"]
    rows = [[section, f"{figure / 1e6:.1f} M"] for section, figure in figures.items()]
    return f"{result['rows']:,} rows\n" + table(["section", "rows/s and core"], rows)


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__ or "")
    with tempfile.TemporaryDirectory() as folder:
        result = measure(QUICK if options.quick else BIRTHS, Path(folder) / "out")
    publish(result, describe(result), options.json)


if __name__ == "__main__":
    main()
