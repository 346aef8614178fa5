"""A user's own SimPy processes: Python code that reads the populations and adds facts to the same ordered flow.

    def audits(env, block):
        while True:
            yield env.timeout(7 * DAY)
            active = block.entities("customer", state="active")
            picked = block.rng.choice(active, size=min(5, len(active)), replace=False)
            block.emit(entity=picked, score=block.rng.random(len(picked)))

    audit = process("audit", audits, entity="customer", schema={"score": pa.float64()})
    model = compile_scenario(load("storefront"), processes=[audit])

The function runs once for each block of the population, with that block's entities only: this is what keeps the facts
the same under any number of shards. What concerns the whole world can be done where `block.index == 0`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.attributes.column import Column
from sim.engine.facts import Facts, fact_ids
from sim.engine.window import Window
from sim.errors import ParameterError
from sim.model.process import UserProcess

if TYPE_CHECKING:
    import simpy

    from sim.engine.block import Block
    from sim.engine.world import World

Live = Callable[["simpy.Environment", "BlockView"], Generator[Any, Any, None]]


class BlockView:
    """What a user's process sees and does in one block, at the time at which it is awake.

    Entities are given by id, int64. `index` is the block's number, `rng` a generator of its own.
    """

    def __init__(self, env: simpy.Environment, world: World, process: UserProcess, index: int) -> None:
        self.process = process
        self.index = index
        self.rng = world.randomness.generator(f"{process.stream}/process", index)
        self.window = Window(0, world.model.start, world.model.start)
        self._env = env
        self._world = world
        self._times: list[NDArray[np.int64]] = []
        self._columns: list[dict[str, NDArray[Any]]] = []

    @property
    def now(self) -> int:
        """The time, in microseconds since the epoch."""
        return int(self._env.now)

    def entities(self, kind: str, state: str | None = None, segment: str | None = None) -> NDArray[np.int64]:
        """Ids of the entities of `kind` in this block that are born by now, in a state, in a segment: int64[n]."""
        block = self._block(kind)
        born = np.arange(int(np.searchsorted(block.births, self.now, side="right")))
        if state is not None:
            born = born[
                self._states(block, born) == _code(block.machine.machine.states if block.machine else (), state)
            ]
        if segment is not None:
            named = [(s.names, codes) for s, codes in zip(block.population.segmentations, block.segments, strict=True)]
            found = [codes[born] == names.index(segment) for names, codes in named if segment in names]
            if not found:
                raise ParameterError(
                    f"{kind} has no segment {segment!r}; it has {[name for n, _ in named for name in n]}"
                )
            born = born[np.logical_or.reduce(found)]
        return block.ids[born]

    def state(self, kind: str, ids: ArrayLike) -> NDArray[np.str_]:
        """The names of the states in which entities are now: str[n]."""
        block = self._block(kind)
        if block.machine is None:
            raise ParameterError(f"{kind} has no lifecycle")
        return np.array(block.machine.machine.states)[self._states(block, self._local(block, ids))]

    def attribute(self, kind: str, name: str, ids: ArrayLike) -> Column:
        """An attribute of entities, as a column; one that the scenario's own parts read, or `born_at`."""
        block = self._block(kind)
        local = self._local(block, ids)
        if name == "born_at":
            return Column.of(block.births[local].view("datetime64[us]"))
        if name not in block.columns:
            raise ParameterError(f"{kind}.{name} is not kept; kept are {sorted(block.columns)}: name it in `reads`")
        return block.attribute(name, local, np.full(len(local), self.now, dtype=np.int64))

    def emit(self, *, entity: ArrayLike, **columns: ArrayLike) -> None:
        """One fact now for each of the entities (ids); `columns` has what the process's schema declares."""
        ids = np.atleast_1d(np.asarray(entity, dtype=np.int64))
        if set(columns) != set(self.process.schema):
            raise ParameterError(
                f"{self.process.stream} has the columns {sorted(self.process.schema)}; given are {sorted(columns)}"
            )
        self._local(self._block(self.process.entity), ids)
        self._times.append(np.full(len(ids), self.now, dtype=np.int64))
        values = {name: np.broadcast_to(np.asarray(value), len(ids)) for name, value in columns.items()}
        self._columns.append({"": ids, **values})

    def flush(self) -> None:
        """Hand over the facts of the window that ends."""
        if not self._times:
            return
        times = np.concatenate(self._times)
        joined = {name: np.concatenate([part[name] for part in self._columns]) for name in self._columns[0]}
        self._times, self._columns = [], []
        name = self.process.stream
        columns = {field: Column.of(joined[field].tolist(), kind) for field, kind in self.process.schema.items()}
        columns[f"{name}_id"] = Column.of(fact_ids(name, len(times), self.index, self.window))
        columns[f"{self.process.entity}_id"] = Column.of(joined[""])
        self._world.add(name, Facts(times, columns))

    def _block(self, kind: str) -> Block:
        if kind not in self._world.blocks:
            raise ParameterError(f"{kind!r} is not a kind of entity; there are {sorted(self._world.blocks)}")
        return self._world.blocks[kind][self.index]

    def _local(self, block: Block, ids: ArrayLike) -> NDArray[np.int64]:
        wanted = np.atleast_1d(np.asarray(ids, dtype=np.int64))
        local = np.searchsorted(block.ids, wanted)
        known = local < len(block)
        known[known] = block.ids[local[known]] == wanted[known]
        known[known] = block.births[local[known]] <= self.now
        if not known.all():
            name = block.population.name
            raise ParameterError(f"{name} {int(wanted[~known][0])} is not born in block {self.index} at this time")
        return local

    def _states(self, block: Block, entities: NDArray[np.int64]) -> NDArray[np.int8]:
        if block.machine is None:
            raise ParameterError(f"{block.population.name} has no lifecycle")
        return block.machine.state_at(entities, np.full(len(entities), self.now, dtype=np.int64))


def _code(states: tuple[str, ...], name: str) -> int:
    if name not in states:
        raise ParameterError(f"{name!r} is not a state; there are {list(states)}")
    return states.index(name)
