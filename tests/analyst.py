"""What an analyst asks of a data set without knowing where it comes from: SQL over facts, and numbers back.

An analyst has a data dictionary (which stream are the orders, which column is the segment) and nothing else: no
scenario, no model. Every question takes such names, as SQL text, and answers with what a verdict needs: counts, or
means with variances.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np


@dataclass(frozen=True)
class Sample:
    """So many independent values, their mean and variance."""

    n: int
    mean: float
    variance: float

    def ratio(self, base: Sample) -> tuple[float, float]:
        """The logarithm of the ratio of two means, and its standard error (delta method)."""
        error = sum(one.variance / one.n / one.mean**2 for one in (self, base)) ** 0.5
        return float(np.log(self.mean / base.mean)), float(error)

    def difference(self, base: Sample) -> tuple[float, float]:
        """The difference of two means, and its standard error."""
        return self.mean - base.mean, (self.variance / self.n + base.variance / base.n) ** 0.5


@dataclass(frozen=True)
class Analyst:
    """Somebody with SQL access to the facts."""

    db: duckdb.DuckDBPyConnection

    def when(self, part: str, facts: str, classes: int) -> np.ndarray:
        """How facts fall on the hours of the day or the days of the week, civil time: counts by class from 0."""
        sql = f"SELECT {part} AS class, count(*) FROM {facts} GROUP BY class"
        found = dict(self.db.execute(sql).fetchall())
        return np.array([found.get(one, 0) for one in range(classes)])

    def by_month(self, facts: str, time: str) -> dict[str, int]:
        """How many a month, in order."""
        sql = f"SELECT strftime({time}, '%Y-%m') AS month, count(*) FROM {facts} GROUP BY month ORDER BY month"
        return dict(self.db.execute(sql).fetchall())

    def growth(self, facts: str, time: str, value: str, within: str) -> tuple[float, float]:
        """Growth of a value a year, as a slope of logarithms, and its standard error (least squares).

        Levels may differ between groups that `within` tells apart.
        """
        sql = f"""WITH points AS (SELECT {within} AS one, epoch({time}) / 31557600 AS x, ln({value}) AS y FROM {facts}),
                       centred AS (SELECT x - avg(x) OVER same AS x, y - avg(y) OVER same AS y
                                   FROM points WINDOW same AS (PARTITION BY one))
                  SELECT regr_slope(y, x) AS slope, (regr_syy(y, x) / regr_sxx(y, x) - slope ** 2) / (count(*) - 2)
                  FROM centred"""
        slope, variance = self.db.execute(sql).fetchone()
        return slope, variance**0.5

    def activity(self, entities: str, key: str, segment: str, facts: str) -> dict[str, Sample]:
        """Facts an entity, those without any included, by segment."""
        return self._samples(
            f"""WITH counted AS (SELECT {key}, count(*) AS facts FROM {facts} GROUP BY {key})
                SELECT {segment} AS segment, coalesce(facts, 0) AS value
                FROM {entities} LEFT JOIN counted USING ({key})"""
        )

    def worth(self, facts: str, value: str, segment: str) -> dict[str, Sample]:
        """The typical value of a fact by segment: of its logarithm."""
        return self._samples(f"SELECT {segment} AS segment, ln({value}) AS value FROM {facts}")

    def leaving(self, entity: str, state: str, leaves: str, end: str, segment: str) -> dict[str, tuple[int, float]]:
        """Who leaves a state, and the years spent in it, by segment: occurrence and exposure.

        `leaves` is a condition over the changes of state: what counts as leaving.
        """
        sql = f"""WITH moves AS (SELECT {entity}_id AS id, event_time AS since, state, NULL AS reason FROM {entity}
                                 UNION ALL SELECT {entity}_id, event_time, to_state, reason FROM {entity}_lifecycle),
                       spells AS (SELECT id, state, since, lead(since, 1, TIMESTAMPTZ '{end}') OVER one AS until,
                                         lead(state) OVER one AS to_state, lead(reason) OVER one AS reason
                                  FROM moves WINDOW one AS (PARTITION BY id ORDER BY since))
                  SELECT {segment} AS segment, count(*) FILTER ({leaves}), sum(epoch(until) - epoch(since)) / 31557600
                  FROM spells JOIN {entity} ON id = {entity}_id WHERE spells.state = '{state}' GROUP BY ALL"""
        return {str(name): (events, years) for name, events, years in self.db.execute(sql).fetchall()}

    def staying(self, entity: str, state: str, days: int, segment: str) -> dict[str, tuple[int, int]]:
        """Of those born into a state long enough ago, how many were still in it after so many days, and of how many."""
        sql = f"""WITH first AS (SELECT {entity}_id, min(event_time) AS changed FROM {entity}_lifecycle GROUP BY ALL)
                  SELECT {segment} AS segment, count(*),
                         count(*) FILTER (changed IS NULL OR changed > born_at + INTERVAL {days} DAY)
                  FROM {entity} LEFT JOIN first USING ({entity}_id)
                  WHERE born_at = event_time AND state = '{state}' AND born_at > (SELECT min(event_time) FROM {entity})
                    AND born_at < (SELECT max(event_time) FROM {entity}) - INTERVAL {days} DAY GROUP BY ALL"""
        return {str(name): (stayed, entities) for name, entities, stayed in self.db.execute(sql).fetchall()}

    def passing(
        self, process: str, entity: str, step: str, to: str, until: str, segment: str
    ) -> dict[str, tuple[int, int]]:
        """Of those who came to a step before `until`, how many went on to `to` next, and of how many, by segment."""
        sql = f"""WITH steps AS (SELECT *, lead(step) OVER (PARTITION BY {process}_case_id ORDER BY step_index) AS next
                                 FROM {process})
                  SELECT {segment} AS segment, count(*) FILTER (next = '{to}'), count(*)
                  FROM steps JOIN {entity} USING ({entity}_id)
                  WHERE step = '{step}' AND steps.event_time < '{until}' GROUP BY ALL"""
        return {str(name): (hits, trials) for name, hits, trials in self.db.execute(sql).fetchall()}

    def on_the_way(self, process: str, touch: str, goal: str, until: str) -> tuple[int, int]:
        """Of the cases begun before `until` that reached the goal, how many had the touch before; and all of these."""
        sql = f"""WITH reached AS (SELECT {process}_case_id, min(step_index) FILTER (step = '{goal}') AS place
                                   FROM {process} GROUP BY ALL HAVING place IS NOT NULL AND min(event_time) < '{until}')
                  SELECT count(DISTINCT {process}_case_id) FILTER (step = '{touch}' AND step_index < place),
                         count(DISTINCT {process}_case_id)
                  FROM {process} JOIN reached USING ({process}_case_id)"""
        touched, all_of_them = self.db.execute(sql).fetchone()
        return touched, all_of_them

    def _samples(self, rows: str) -> dict[str, Sample]:
        sql = f"SELECT segment, count(*), avg(value), var_samp(value) FROM ({rows}) GROUP BY segment"
        return {str(name): Sample(*rest) for name, *rest in self.db.execute(sql).fetchall()}
