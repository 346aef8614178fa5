"""Attributes of one row that are correlated: a Gaussian copula, which leaves the distribution of each as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from pydantic import Field

from sim.attributes.attribute import Attribute
from sim.attributes.column import Array, Column
from sim.attributes.rows import Rows
from sim.maths.model import Model, Name, shown

WITH_QUANTILES = (
    "choice",
    "exponential",
    "integer",
    "lognormal",
    "normal",
    "pareto",
    "poisson",
    "triangular",
    "uniform",
    "weibull",
)
"""The generators that can be correlated."""


class Correlation(Model):
    """Attributes that go up and down together (rho > 0), or against each other (rho < 0).

    Each keeps its own distribution; rho is the correlation of the normal numbers behind them (Gaussian copula), so that
    Spearman's is 6 / pi x asin(rho / 2). The values of a `choice` count in the order of their list.
    """

    between: list[Name] = Field(
        min_length=2,
        max_length=50,
        description="The attributes; with more than two, every pair of them.",
        examples=[["income", "age_years"]],
    )
    rho: float = Field(gt=-1, lt=1, description="Correlation.", examples=[0.6])


class Copula:
    """The correlated attributes of one kind of row.

    `problems` are those of the correlations: the place in the list, the key there, and the reason.
    """

    def __init__(self, attributes: Mapping[str, Attribute], correlations: Sequence[Correlation] = ()) -> None:
        self.problems: list[tuple[int, str, str]] = []
        self._attributes = attributes
        self._names = list(dict.fromkeys(name for c in correlations for name in c.between))
        self._check(correlations)
        self._root = np.zeros((0, 0)) if self.problems else self._factorised(correlations)

    def draw(self, rows: Rows) -> dict[str, Column]:
        """The draws of the correlated attributes, by name."""
        draws: dict[str, Column] = {}
        normals: list[Array] = []
        for name, weights in zip(self._names, self._root, strict=True):
            normals.append(rows.rng(f"{name}/normal").standard_normal(len(rows)))
            mixed = sum(
                (weight * normal for weight, normal in zip(weights, normals, strict=False)), np.zeros(len(rows))
            )
            draws[name] = self._attributes[name].from_normal(mixed)
        return draws

    @property
    def names(self) -> frozenset[str]:
        """The names of the correlated attributes."""
        return frozenset(self._names)

    def _check(self, correlations: Sequence[Correlation]) -> None:
        seen: set[frozenset[str]] = set()
        for place, correlation in enumerate(correlations):
            for name in correlation.between:
                self._check_name(place, name)
            for pair in combinations(correlation.between, 2):
                if len(set(pair)) < 2 or frozenset(pair) in seen:
                    self.problems.append(
                        (place, "between", f"the pair {pair[0]}, {pair[1]} must come once and not twice")
                    )
                seen.add(frozenset(pair))

    def _check_name(self, place: int, name: str) -> None:
        if name not in self._attributes:
            message = f"{shown(name)} is not an attribute here; there are {', '.join(self._attributes) or 'none'}"
            self.problems.append((place, "between", message))
            return
        try:
            self._attributes[name].from_normal(np.empty(0))
        except ValueError as error:
            reason = f"{shown(name)} {error}; these can be: {', '.join(WITH_QUANTILES)}"
            self.problems.append((place, "between", reason))

    def _factorised(self, correlations: Sequence[Correlation]) -> Array:
        """The lower triangle whose product with independent normal numbers has the correlations."""
        matrix = np.eye(len(self._names))
        for correlation in correlations:
            for one, other in combinations(correlation.between, 2):
                i, j = self._names.index(one), self._names.index(other)
                matrix[i, j] = matrix[j, i] = correlation.rho
        try:
            return np.linalg.cholesky(matrix)
        except np.linalg.LinAlgError:
            least = float(np.linalg.eigvalsh(matrix)[0])
            message = f"contradict each other: their matrix is not positive definite (least eigenvalue {least:.3g})"
            self.problems.append((-1, "", message))
            return matrix
