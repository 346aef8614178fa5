"""Checks can fail: whatever is broken in good output is found by the check that is meant for it, and by no other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import mutations_of_behaviour
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
from sim.quality.finding import SECTIONS, Section
from sim.quality.score import Verdict, grade

SUITES = (mutations_of_behaviour, mutations_of_structure, mutations_of_values)


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    root = tmp_path_factory.mktemp("good")
    written(WORLD, f"parquet:{root}/out", seed=SEED, shards=2)
    (root / "world.json").write_text(json.dumps(WORLD))
    return root


def judged(output: Output, scenario: Path, sections: Sequence[Section] = SECTIONS) -> Verdict:
    with open_dataset(str(output.root), threads=1) as data:
        known = declared(data.manifest, str(scenario))
        return grade(findings(Scope(data, known), sections), alpha=0.001)


def test_good_output_is_sound(good):
    verdict = judged(Output(good / "out"), good / "world.json")
    assert [(finding.name, finding.subject, finding.detail) for finding in verdict.failed] == []
    assert verdict.total == 100


@pytest.mark.parametrize("name", MUTATIONS)
def test_what_is_broken_is_found(good, tmp_path, name):
    mutation = MUTATIONS[name]
    output = copied(good / "out", tmp_path / "out")
    mutation.breaks(output)
    # Whatever is wrong with rows is wrong with what they show: only what breaks behaviour is asked about it.
    sections = SECTIONS if mutation.breaks.__module__ == mutations_of_behaviour.__name__ else SECTIONS[:2]
    failed = {finding.name for finding in judged(output, good / "world.json", sections).failed}
    assert failed == {mutation.check, *mutation.also}


def test_there_are_mutations_enough():
    assert len(MUTATIONS) >= 32
