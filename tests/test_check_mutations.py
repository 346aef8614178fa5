"""Checks can fail: whatever is broken in good output is found by the check that is meant for it, and by no other."""

from __future__ import annotations

import json
from pathlib import Path

import mutations_of_behaviour
import mutations_of_calls
import mutations_of_structure
import mutations_of_values
import pytest
from mutations import MUTATIONS, WORLD, Output, copied
from outputs import written
from worlds import SEED

from sim.quality.check import findings
from sim.quality.checks.scope import Scope
from sim.quality.dataset import open_dataset
from sim.quality.declared import declared
from sim.quality.finding import SECTIONS
from sim.quality.score import Verdict, grade

SUITES = (mutations_of_behaviour, mutations_of_calls, mutations_of_structure, mutations_of_values)


WORLDS = {"mutable": (WORLD, 2), "calls": (mutations_of_calls.WORLD, 1)}


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    root = tmp_path_factory.mktemp("good")
    for name, (world, shards) in WORLDS.items():
        written(world, f"parquet:{root}/{name}/out", seed=SEED, shards=shards)
        (root / name / "world.json").write_text(json.dumps(world))
    return root


def judged(output: Output, scenario: Path, behaviour: bool = True) -> Verdict:
    with open_dataset(str(output.root), threads=1) as data:
        known = declared(data.manifest, str(scenario))
        return grade(findings(Scope(data, known), SECTIONS if behaviour else SECTIONS[:2]), alpha=0.001)


@pytest.mark.parametrize("world", WORLDS)
def test_good_output_is_sound(good, world):
    verdict = judged(Output(good / world / "out"), good / world / "world.json")
    assert [(finding.name, finding.subject, finding.detail) for finding in verdict.failed] == []
    assert verdict.total == 100


@pytest.mark.parametrize("name", MUTATIONS)
def test_what_is_broken_is_found(good, tmp_path, name):
    mutation = MUTATIONS[name]
    root = good / ("calls" if mutation.breaks.__module__ == mutations_of_calls.__name__ else "mutable")
    output = copied(root / "out", tmp_path / "out")
    mutation.breaks(output)
    # Whatever is wrong with rows is wrong with what they show: only what breaks behaviour is asked about it.
    of_behaviour = mutation.breaks.__module__ in (mutations_of_behaviour.__name__, mutations_of_calls.__name__)
    failed = {finding.name for finding in judged(output, root / "world.json", of_behaviour).failed}
    assert mutation.check in failed
    assert failed <= {mutation.check, *mutation.also}


def test_there_are_mutations_enough():
    assert len(MUTATIONS) >= 70
