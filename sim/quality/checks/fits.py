"""Distributions of numbers against their declaration: Kolmogorov and Smirnov's test of probability transforms.

If F is the declared distribution, then F(x) is uniform; where it has jumps (counts, rounded and clamped values), a
point within the jump, drawn at random, is (L. Rueschendorf 2009, "On the distributional transform"). So one test serves
all. It looks at no more than `MOST` rows of a stream, chosen by a hash of their ids.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.quality.checks.attributes import Declaration, declarations
from sim.quality.checks.laws import Law, law_of
from sim.quality.checks.scope import Scope
from sim.quality.finding import Finding, statistical
from sim.quality.kinds import is_number
from sim.quality.tables import quoted

Floats = NDArray[np.float64]
MOST = 50_000
_LEAST = 10


def measure(scope: Scope) -> Iterator[Finding]:
    """Each attribute that is drawn row by row, from a distribution that is known."""
    known: dict[str, list[tuple[Declaration, Law]]] = {}
    for declaration in declarations(scope):
        law = None if declaration.multiplied else law_of(declaration.attribute)
        if law is not None and is_number(declaration.subject.found.field(declaration.name).type):
            known.setdefault(declaration.subject.name, []).append((declaration, law))
    for stream, own in known.items():
        scope.tell(f"{stream}: distributions of {len(own)} columns")
        for (declaration, law), values in zip(own, _samples(scope, stream, own), strict=True):
            if len(values) >= _LEAST:
                yield _finding(declaration, law, values)


def uniform(law: Law, values: Floats, seed: int) -> Floats:
    """The transforms of values float64[n], uniform on [0, 1] where the law holds: float64[n]."""
    left, right = law.left(values), law.right(values)
    return left + np.random.default_rng(seed).random(len(values)) * (right - left)


def _seed(declaration: Declaration, values: Floats) -> int:
    """Points within jumps are other ones for other data, or their part in the gap would always be the same.

    The last digits do not count, nor does the sign of 0, in which text and Parquet may differ.
    """
    return zlib.crc32((values.astype(np.float32) + 0.0).tobytes(), zlib.crc32(declaration.place.encode()))


def _samples(scope: Scope, stream: str, own: Sequence[tuple[Declaration, Law]]) -> Iterator[Floats]:
    subject = scope.subjects[stream]
    share = max(1, math.ceil(subject.rows / MOST))
    chosen = f"hash({quoted(subject.id)}) % {share} = 0" if subject.id and share > 1 else "true"
    columns = [
        f"CASE WHEN {d.rows} THEN CAST({d.sql} AS DOUBLE) END AS {quoted(str(place))}"
        for place, (d, _) in enumerate(own)
    ]
    table = scope.dataset.arrow(f"SELECT {', '.join(columns)} FROM {quoted(stream)} WHERE {chosen}")
    for values in table.columns:
        # Sorted, so that neither shards nor threads decide which value gets which random number.
        yield np.sort(np.asarray(values.drop_null().to_numpy(), np.float64))


def _finding(declaration: Declaration, law: Law, values: Floats) -> Finding:
    from scipy import stats

    transformed = uniform(law, values, _seed(declaration, values))
    result = stats.kstest(transformed, "uniform")
    half = 1.96 * float(values.std(ddof=1)) / math.sqrt(len(values))
    mean = float(values.mean())
    told = f"mean; largest gap between distributions {result.statistic:.3g}, {len(values):,} rows"
    return statistical(
        "values",
        "distributions",
        declaration.place,
        float(result.pvalue),
        estimate=mean,
        low=mean - half,
        high=mean + half,
        declared=law.mean,
        detail=told,
    )
