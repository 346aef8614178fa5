"""What the facts of a data set should be: the scenario that they came from, over the time that they are about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sim.maths.instants import format_instant
from sim.model.compile import compile_scenario
from sim.model.model import Model
from sim.quality.manifest import Manifest
from sim.scenario.bundled import bundled
from sim.scenario.loader import load
from sim.scenario.schema import Scenario


@dataclass(frozen=True, slots=True)
class Declared:
    """A scenario and its model; `same` says whether the facts came from exactly this one, None where nobody knows."""

    scenario: Scenario
    model: Model
    same: bool | None


def declared(
    manifest: Manifest | None, scenario: str | None = None, overrides: Mapping[str, str] | None = None
) -> Declared | None:
    """The scenario by path or name with its overrides, over the interval of the manifest's run.

    Without `scenario`, it is the bundled one that the manifest names, if the facts came from just that; None where they
    did not. Raises ScenarioError where the scenario cannot be used.
    """
    if scenario is None:
        found = _known(manifest)
        return found if found is not None and found.same else None
    return _declared(manifest, scenario, overrides or {})


def _known(manifest: Manifest | None) -> Declared | None:
    if manifest is None or manifest.scenario not in bundled():
        return None
    return _declared(manifest, manifest.scenario, {})


def _declared(manifest: Manifest | None, scenario: str, overrides: Mapping[str, str]) -> Declared:
    loaded = load(scenario, {**_interval(manifest), **overrides})
    model = compile_scenario(loaded)
    # What follows the digest says how the facts were delivered.
    same = None if manifest is None else manifest.digest.partition("-")[0] == model.digest
    return Declared(loaded, model, same)


def _interval(manifest: Manifest | None) -> dict[str, str]:
    if manifest is None:
        return {}
    return {name: format_instant(instant) for name, instant in (("start", manifest.start), ("end", manifest.end))}
