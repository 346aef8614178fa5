"""Values that should be distributed alike in all groups: by segment, by age, by time.

The test of Kruskal and Wallis (1952) asks that without knowing the distribution; ratios of means estimate the factors.
A
factor that does not hold is taken out while others are tested, so that one wrong declaration does not make others look
wrong: the young of a kind that grows are more recent than the old.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from sim.quality.behaviours.factors import Z
from sim.quality.behaviours.reading import Floats, Indices, sums
from sim.quality.finding import Finding, statistical

FEWEST = 30
"""Values that a group must have."""

_SUSPECT = 1e-4
"""p-value below which a factor is taken out before others are tested."""

_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Split:
    """Values in groups that should be alike: the finding's name and subject, the groups' labels, and the group of each.

    `declared` are factors by label, where each group has its own.
    """

    name: str
    subject: str
    labels: Sequence[str]
    group: Indices
    declared: Mapping[str, float]

    @property
    def groups(self) -> Indices:
        """The groups with values enough."""
        return np.flatnonzero(np.bincount(self.group, minlength=len(self.labels)) >= FEWEST)

    def parts(self, base: Floats) -> list[Floats]:
        """The values of each of them."""
        return [base[self.group == place] for place in self.groups.tolist()]


def judged(base: Floats, splits: Sequence[Split]) -> Iterator[Finding]:
    """The finding on each split, after the factors of others that do not hold have been taken out."""
    wrong = [
        split for split in splits if _test(split, _without(base, [o for o in splits if o is not split])) < _SUSPECT
    ]
    for split in splits:
        yield _alike(split, _without(base, [other for other in wrong if other is not split]))


def _without(base: Floats, splits: Sequence[Split]) -> Floats:
    """Values divided by the ratios of the means of groups, of all splits in turns."""
    for split in [*splits] * (_ROUNDS if len(splits) > 1 else 1):
        sizes, whole = np.bincount(split.group), float(base.mean())
        ratios = sums(split.group, base, len(sizes)) / np.maximum(sizes, 1) / whole if whole else np.ones(len(sizes))
        ratios[(sizes < FEWEST) | (ratios <= 0)] = 1.0
        base = base / ratios[split.group]
    return base


def _test(split: Split, base: Floats) -> float:
    return float(stats.kruskal(*split.parts(base)).pvalue)


def _alike(split: Split, base: Floats) -> Finding:
    """Whether values without their factors are distributed alike in all groups."""
    declared = split.declared
    names = [split.labels[place] for place in split.groups.tolist()]
    parts = split.parts(base)
    result = stats.kruskal(*parts)
    errors = np.array([part.std() / np.sqrt(len(part)) for part in parts])
    means = np.array([part.mean() for part in parts])
    plain = [len(part) * (declared.get(own, 1.0) == 1.0) for own, part in zip(names, parts, strict=True)]
    reference = int(np.argmax(plain))
    against = float(means[reference]) if declared else float(base.mean())
    worst = int(np.argmax(np.abs(means - against) / np.maximum(errors, 1e-300)))
    factor = declared.get(names[worst], 1.0) / declared.get(names[reference], 1.0)
    ratio, error = float(means[worst]) / against, float(errors[worst]) / against * Z
    return statistical(
        "behaviour",
        split.name,
        split.subject,
        float(result.pvalue),
        estimate=factor * ratio,
        low=factor * (ratio - error) if len(parts) == 2 else None,
        high=factor * (ratio + error) if len(parts) == 2 else None,
        declared=factor,
        detail=f"factor of {names[worst]}, where it differs most; Kruskal-Wallis {result.statistic:.1f} with"
        f" {len(parts) - 1} degrees of freedom",
    )
