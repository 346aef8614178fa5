"""Findings about the factors of an intensity: the level, and what segments, states, age and time multiply it by.

Every factor is tested with the others free where these do not hold, so that one wrong declaration does not make
others look wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse, stats

from sim.quality.behaviours.loglinear import Loglinear
from sim.quality.behaviours.reading import Floats
from sim.quality.behaviours.sheet import Sheet, means
from sim.quality.finding import Finding, Section, exact, statistical, unmeasured

_FEWEST = 8.0
"""Expected events below which a group is not tested on its own."""

_SUSPECT = 1e-4
"""p-value below which a factor is left free while others are tested."""

_SECTION: Section = "behaviour"
_NONE: Mapping[str, str] = {}
Z = float(stats.norm.isf(0.025))


@dataclass(frozen=True, slots=True)
class Factor:
    """A grouping of a sheet to be judged: its finding's `name`, and the labels of its groups.

    With `declared` (a multiplier by group) each group is a finding of its own; `reference` is the group that others are
    compared with, by default that with most events. Without, the whole factor is one. A `last` factor is judged with
    all others free, and is free itself only where it does not hold even so: cohorts, whose trend is that of time less
    that of age (Holford 1983).
    """

    name: str
    labels: tuple[str, ...]
    declared: Floats | None = None
    reference: int | None = None
    last: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """How the level of an intensity is told: its finding's name, the declared value, and its unit."""

    name: str
    value: float
    unit: str


class Judge:
    """Judges the factors of one sheet; `subject` is what it is of.

    Factors that are `free` cannot be judged, for the reason given; they are fitted wherever others are judged.
    """

    def __init__(
        self, subject: str, sheet: Sheet, factors: Mapping[str, Factor], level: Level, free: Mapping[str, str] = _NONE
    ) -> None:
        self._subject = subject
        self._sheet = sheet
        self._level = level
        self._factors = factors
        design = _design(sheet)
        self._all = np.asarray(design.T @ sheet.expected).ravel()
        cluster = None
        if sheet.variance > 0 and sheet.clusters is not None:
            cluster = np.asarray((sheet.clusters.T @ sheet.clusters).todense()) * sheet.variance
        self._model = Loglinear(design, sheet.expected, sheet.observed, cluster)
        self._groups = {name: self._candidates(name, factor) for name, factor in factors.items()}
        order = [0, *(column for columns in self._groups.values() for column in columns)]
        kept = set(self._model.independent(order))
        self._columns = {name: [c for c in columns if c in kept] for name, columns in self._groups.items()}
        self._free = free
        self._suspects = self._suspicious()

    def findings(self) -> Iterator[Finding]:
        """The level, then factor by factor; and that nothing happened where nothing can."""
        yield self._impossible()
        if self._sheet.expected.sum() < _FEWEST:
            text = f"{self._sheet.expected.sum():.1f} events are expected"
            yield unmeasured(_SECTION, self._level.name, self._subject, text)
            return
        yield self._of_level()
        for name, factor in self._factors.items():
            if name in self._free:
                yield unmeasured(_SECTION, factor.name, self._subject, self._free[name])
            elif not self._columns[name]:
                if self._groups[name]:
                    text = "here it cannot be told apart from other factors"
                    yield unmeasured(_SECTION, factor.name, self._subject, text)
            elif factor.declared is None:
                yield self._of_whole(name, factor)
            else:
                yield from self._of_groups(name, factor)

    def _candidates(self, name: str, factor: Factor) -> list[int]:
        """The columns of a factor's groups but one, as far as enough is expected there."""
        place = self._sheet.names.index(name)
        expected = means(self._sheet, place, self._sheet.expected)
        enough = np.flatnonzero(expected >= _FEWEST)
        if len(enough) < 2:
            return []
        reference = factor.reference if factor.reference in enough else None
        if reference is None:
            plain = enough if factor.declared is None else enough[factor.declared[enough] == 1.0]
            plain = plain if len(plain) else enough
            reference = int(plain[np.argmax(expected[plain])])
        offset = self._sheet.offsets[place]
        return [offset + int(group) for group in enough if group != reference]

    def _suspicious(self) -> list[str]:
        """The factors that do not hold, each judged with all others free."""
        names = [name for name, columns in self._columns.items() if columns]
        found = [name for name in names if name in self._free]
        asked = [name for name in names if name not in self._free]
        last = [name for name in asked if self._factors[name].last and self._doubtful(name, [])]
        others = [name for name in asked if not self._factors[name].last]
        return found + last + [name for name in others if self._doubtful(name, last)]

    def _doubtful(self, name: str, last: Sequence[str]) -> bool:
        """Whether a factor does not hold with all others free, those of the `last` that do not hold among them."""
        free = [*self._all_but(name), *(column for other in last for column in self._columns[other])]
        return self._model.score(self._columns[name], [0, *free]).p_value < _SUSPECT

    def _all_but(self, name: str) -> list[int]:
        return [
            column
            for other, columns in self._columns.items()
            if other != name and not self._factors[other].last
            for column in columns
        ]

    def _given(self, name: str | None) -> list[int]:
        """What is left free while a factor is tested."""
        if name is not None and self._factors[name].last:
            return self._all_but(name)
        return [c for other in self._suspects if other != name for c in self._columns[other]]

    def _impossible(self) -> Finding:
        total = int(self._sheet.observed.sum()) + self._sheet.stray
        text = "events of entities that are not there, not yet born, or in a state or segment without any"
        return exact(_SECTION, "impossible_events", self._subject, self._sheet.stray, text, of=total)

    def _of_level(self) -> Finding:
        given = self._given(None)
        score = self._model.score([0], given)
        beta, error = self._model.estimate([0], given)
        low, high = np.exp(beta[0] + Z * error[0] * np.array([-1, 1]))
        detail = f"{self._level.unit}; {self._sheet.observed.sum():,.0f} events where "
        return statistical(
            _SECTION,
            self._level.name,
            self._subject,
            score.p_value,
            estimate=self._level.value * float(np.exp(beta[0])),
            low=self._level.value * float(low),
            high=self._level.value * float(high),
            declared=self._level.value,
            detail=f"{detail}{self._sheet.expected.sum():,.1f} are expected",
        )

    def _of_whole(self, name: str, factor: Factor) -> Finding:
        columns, given = self._columns[name], [0, *self._given(name)]
        score = self._model.score(columns, given)
        place = self._sheet.names.index(name)
        expected = means(self._sheet, place, self._model.fit(given)[1])
        observed = means(self._sheet, place, self._sheet.observed)
        offset = self._sheet.offsets[place]
        seen = [column - offset for column in columns]
        ratios = [observed[group] / expected[group] for group in seen]
        worst = int(np.argmax(np.abs(score.excess) / np.sqrt(np.maximum(score.covariance.diagonal(), 1e-300))))
        return statistical(
            _SECTION,
            factor.name,
            self._subject,
            score.p_value,
            estimate=float(ratios[worst]),
            declared=1.0,
            detail=f"measured / declared at {factor.labels[seen[worst]]}, where they differ most;"
            f" chi-square {score.chi2:.1f} with {score.freedom} degrees of freedom",
        )

    def _of_groups(self, name: str, factor: Factor) -> Iterator[Finding]:
        assert factor.declared is not None
        columns, given = self._columns[name], [0, *self._given(name)]
        offset = self._sheet.offsets[self._sheet.names.index(name)]
        beta, errors = self._model.estimate(columns, given)
        for place, column in enumerate(columns):
            others = [other for other in columns if other != column]
            score = self._model.score([column], [*given, *others])
            group = column - offset
            declared = float(factor.declared[group])
            low, high = np.exp(beta[place] + Z * errors[place] * np.array([-1, 1]))
            yield statistical(
                _SECTION,
                factor.name,
                f"{self._subject}: {name} {factor.labels[group]}",
                score.p_value,
                estimate=declared * float(np.exp(beta[place])),
                low=declared * float(low),
                high=declared * float(high),
                declared=declared,
                detail="multiplier",
            )


def slope(sheet: Sheet, middles: Floats) -> tuple[float, float, float]:
    """The growth per year by log-linear regression of events by period: declared, measured, and R2 of the latter.

    `middles` are the middles of the periods of the sheet's grouping `time`, in years.
    """
    place = sheet.names.index("time")
    expected, observed = (means(sheet, place, values) for values in (sheet.expected, sheet.observed))
    some = np.flatnonzero((expected > _FEWEST) & (observed > 0))
    if len(some) < 3:
        return np.nan, np.nan, np.nan
    lines = [stats.linregress(middles[some], np.log(values[some])) for values in (expected, observed)]
    return float(np.expm1(lines[0].slope)), float(np.expm1(lines[1].slope)), float(lines[1].rvalue ** 2)


def _design(sheet: Sheet) -> sparse.csr_matrix:
    """A column of ones, then one for each group of each grouping."""
    rows = np.arange(len(sheet.codes))
    parts: Sequence[sparse.spmatrix] = [sparse.csr_matrix(np.ones((len(rows), 1)))]
    for place, size in enumerate(sheet.sizes):
        ones = (np.ones(len(rows)), (rows, sheet.codes[:, place]))
        parts = [*parts, sparse.csr_matrix(ones, shape=(len(rows), size))]
    return sparse.hstack(parts).tocsr()
