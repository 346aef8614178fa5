"""The ground truth: which incidents there were, and which facts they have hit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sim.attributes.column import STRING_CODES, TIME_TYPE, Column, strings
from sim.engine.block import Block
from sim.engine.clocks import NEVER
from sim.engine.facts import Facts, fact_ids
from sim.engine.incidents import Incidents, onsets
from sim.engine.rows import EventRows
from sim.engine.window import Window
from sim.model.incident import Incident
from sim.model.model import Model

Columns = dict[str, Column]
Piece = tuple[NDArray[np.int64], Columns]


class Labels:
    """Collects the ground truth of the present window, of the blocks that are a shard's `own`."""

    def __init__(self, model: Model, incidents: Incidents, own: frozenset[int]) -> None:
        self._model = model
        self._own = own
        self._incidents = incidents
        self._kinds = {population.name: code for code, population in enumerate(model.populations)}
        self._entities = strings(list(self._kinds))
        self._streams = {stream: code for code, stream in enumerate(model.disturbances.hits)}
        self._of_streams = strings(list(self._streams))
        self._spans: defaultdict[int, list[Piece]] = defaultdict(list)
        self._facts: defaultdict[int, list[Piece]] = defaultdict(list)

    def mark(self, stream: str, rows: EventRows) -> None:
        """Take in facts of a stream that incidents may have hit."""
        for hit in self._incidents.of(stream):
            incident = self._incidents.all[hit.incident]
            struck = np.flatnonzero(rows.level(hit)) if incident.labelled else ()
            if not len(struck):
                continue
            block, count = rows.block, len(struck)
            times, entities = rows.times[struck], rows.entities[struck]
            began = Column.nulls(count, TIME_TYPE)
            if not incident.single:
                began = Column(self._incidents.began(hit, block, entities, times), TIME_TYPE)
            columns = {
                "fact_stream": Column.coded(np.full(count, self._streams[stream]), self._of_streams),
                "fact_id": Column.of(rows.ids[struck]),
                "entity": Column.coded(np.full(count, self._kinds[block.population.name]), self._entities),
                "entity_id": Column.of(block.ids[entities]),
                "incident": Column.coded(np.full(count, incident.index), self._incidents.names),
                "began_at": began,
            }
            self._facts[block.index].append((times, columns))

    def strike(self, incident: Incident, block: Block) -> None:
        """Take in whom an incident has struck in a block in the present window."""
        entities, begins, ends = onsets(block.spells[incident.index], int(NEVER))
        if not incident.labelled or not len(entities) or block.index not in self._own:
            return
        kind = np.full(len(entities), self._kinds[block.population.name])
        columns = self._span(incident, begins, ends) | {
            "entity": Column.coded(kind, self._entities),
            "entity_id": Column.of(block.ids[entities]),
        }
        self._spans[block.index].append((begins, columns))

    def begin(self, window: Window) -> None:
        """Take in the incidents for everybody that begin in a window, or are on when the run does."""
        for index, spans in self._incidents.spans.items():
            incident = self._incidents.all[index]
            early = (spans.begins < window.start) & (spans.ends > window.start) & (window.number == 0)
            here = np.flatnonzero(early | ((spans.begins >= window.start) & (spans.begins < window.until)))
            if not incident.labelled or not len(here):
                continue
            columns = self._span(incident, spans.begins[here], spans.ends[here])
            columns["entity"] = Column.nulls(len(here), STRING_CODES)
            columns["entity_id"] = Column.nulls(len(here), pa.int64())
            self._spans[0].append((np.maximum(spans.begins[here], window.start), columns))

    def _span(self, incident: Incident, begins: NDArray[np.int64], ends: NDArray[np.int64]) -> Columns:
        return {
            "incident": Column.coded(np.full(len(begins), incident.index), self._incidents.names),
            "began_at": Column(begins, TIME_TYPE),
            "ends_at": Column(ends, TIME_TYPE),
        }

    def close(self, window: Window, add: Callable[[str, Facts], None]) -> None:
        """Hand over what the window has brought, and forget it."""
        streams = self._model.disturbances
        for stream, pieces in ((streams.spans, self._spans), (streams.facts, self._facts)):
            if stream is not None:
                for facts in _numbered(stream.name, pieces, window):
                    add(stream.name, facts)
            pieces.clear()


def _numbered(stream: str, pieces: Mapping[int, list[Piece]], window: Window) -> Iterator[Facts]:
    """The pieces of each block as one, by time, with ids."""
    for block in sorted(pieces):
        times = np.concatenate([when for when, _ in pieces[block]])
        order = np.argsort(times, kind="stable")
        names = pieces[block][0][1]
        columns = {name: Column.concat([own[name] for _, own in pieces[block]]).take(order) for name in names}
        columns[f"{stream}_id"] = Column.of(fact_ids(stream, len(times), block, window))
        yield Facts(times[order], columns)
