"""How fast behaviours are: multi-stage processes, subscriptions, journeys, adoption and entities that change, together.

    python benchmarks/behaviours.py [--quick] [--json]

`behaviours.yaml` into null: and Parquet, as `datagen run` does it in fresh processes with 1 and 2 workers; most of its
facts are steps of cases and what follows from them.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import arguments, environment, interleaved, publish, table, targets
from benchmarks.engine import HEADLINE, RUNS, figures, launch

SCENARIO = Path(__file__).with_suffix(".yaml")
VISITORS = 200_000
QUICK_VISITORS = 20_000


def measure(visitors: int, folder: Path) -> dict[str, Any]:
    """Every target and number of workers in turns; medians."""
    words = ("--set", f"entities.visitor.initial.count={visitors}")
    results = interleaved(
        {name: partial(launch, SCENARIO, to, n, folder / "out", *words) for name, (to, n) in RUNS.items()}
    )
    runs = {name: figures(launches) for name, launches in results.items()}
    return {"facts": results[HEADLINE][0].facts, "facts_per_s": runs[HEADLINE]["facts_per_s"], "runs": runs}


def describe(result: dict[str, Any]) -> str:
    """The result as tables."""
    runs = table(
        ("run", "facts/s", "run alone", "wall s", "cpu s", "peak MB"),
        [(name, *run.values()) for name, run in result["runs"].items()],
    )
    wanted = targets({"facts/s to Parquet, 2 workers": (result["facts_per_s"], ">=", 1.5e6)})
    return f"{result['facts']:,} facts\n\n{runs}\n\n{wanted}"


def main() -> None:
    options = arguments("facts a second of a scenario with all behaviours")
    with tempfile.TemporaryDirectory(prefix="datagen-benchmark-") as folder:
        result = measure(QUICK_VISITORS if options.quick else VISITORS, Path(folder))
    result = {"environment": environment(), **result}
    publish(result, describe(result), options.json)


if __name__ == "__main__":
    main()
