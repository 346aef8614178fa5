"""Every error that datagen raises on purpose.

    DatagenError
    ├── ScenarioError      a scenario file cannot be used; holds every problem found, each with its place
    ├── ParameterError     an argument from the caller or the command line makes no sense
    ├── MissingExtra       an optional dependency is not installed; names the extra that brings it
    ├── SimulationError    the run itself met something that the scenario did not rule out
    └── SinkError          a sink cannot be opened or cannot take the facts
        └── DeliveryError  some facts were handed over but not acknowledged

The command line catches `DatagenError`, prints it without a traceback and exits with `exit_code`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class DatagenError(Exception):
    """The root: `str(error)` is fit for a user's eyes."""

    exit_code = 2


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong in a scenario file, as `file:line: path: message`."""

    line: int
    path: str
    message: str
    file: str = "<scenario>"

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class ScenarioError(DatagenError):
    """A scenario with at least one `Problem`; `problems` holds them in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ParameterError(DatagenError):
    """A caller's argument, with its value and what would have been allowed."""


class MissingExtra(DatagenError):
    """A library that is not installed by default is needed."""

    def __init__(self, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs an optional dependency: pip install 'datagen[{extra}]'")


class SimulationError(DatagenError):
    """What only the run can know, with event time and entity."""

    exit_code = 1


class SinkError(DatagenError):
    """A sink refuses: the message has the target and the reason."""

    exit_code = 3


class DeliveryError(SinkError):
    """Facts were handed over and not acknowledged; the message counts them."""

    exit_code = 4
