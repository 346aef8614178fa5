"""What recorded facts came from: the scenario that a command was told, or that their manifest names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sim.cli.terminal import logs, when
from sim.cli.terminal.values import parse_overrides
from sim.errors import ParameterError

if TYPE_CHECKING:
    from sim.quality.declared import Declared
    from sim.quality.manifest import Manifest


def changes(
    scenario: str | None, override: Sequence[str] | None, start: str | None, end: str | None
) -> Mapping[str, str]:
    """What `--set`, `--start` and `--end` change, by path. ParameterError where they are given without a scenario."""
    if scenario is None and any((override, start, end)):
        raise ParameterError("--set, --start and --end are about a scenario: name it with --scenario")
    return parse_overrides(list(override or []), **when.interval(start, end))


def origin(
    manifest: Manifest | None, scenario: str | None, overrides: Mapping[str, str], quiet: bool, without: str | None
) -> Declared | None:
    """The scenario of the facts, if it is known; a notice says where it is not theirs.

    `without` is what a command does where none is known, to be said then. Raises ScenarioError where it cannot be used.
    """
    from sim.quality.declared import declared

    known = declared(manifest, scenario, overrides)
    if known is None and without and not quiet:
        logs.say("notice", f"datagen: no scenario is known for these facts (--scenario): {without}")
    if known is not None and known.same is False and not quiet:
        logs.say("notice", f"datagen: {scenario} is not exactly what the facts came from, says the manifest")
    return known
