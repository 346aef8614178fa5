"""One run of one shard: the populations, their parts, and the facts of the present window."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from sim.batch import Batch
from sim.engine.block import Block
from sim.engine.components import Acting, Arriving
from sim.engine.directory import Directory
from sim.engine.facts import Facts, merge
from sim.engine.offspring import Offspring
from sim.engine.randomness import Randomness
from sim.engine.roster import Roster
from sim.engine.rows import Surroundings
from sim.engine.vintage import Vintage
from sim.engine.window import Window
from sim.model.model import Model, Population


class World:
    """Everything that changes during a run. `own` are the blocks of this shard.

    `thinning` keeps only a share of the facts of the activities it names: for forecasts.
    """

    def __init__(
        self, model: Model, seed: int, own: frozenset[int], thinning: Mapping[str, float] | None = None
    ) -> None:
        self.model = model
        self.own = own
        self.randomness = Randomness(seed)
        self.rosters: dict[str, Roster] = {}
        self.directories: dict[str, Directory] = {}
        self.blocks: dict[str, dict[int, Block]] = {}
        self.components: list[Arriving | Acting] = []
        self._offspring: dict[tuple[str, int], tuple[int, Offspring]] = {}
        self._facts: defaultdict[str, list[Facts]] = defaultdict(list)
        self._complete = _known_everywhere(model)
        self._around = Surroundings(model, self.randomness, self.directories, self._children)
        for population in model.populations:
            self._settle(population)
        for population in model.populations:
            activities = [a for a in model.activities if a.population == population.index]
            if activities:
                blocks = [block for block in self.blocks[population.name].values() if block.index in own]
                self.components.append(Acting(self._around, population, activities, blocks, thinning or {}))

    def emit(self, stream: str, facts: Facts) -> None:
        """Add facts of the present window."""
        self._facts[stream].append(facts)

    def collect(self, window: Window) -> Iterator[Batch]:
        """The facts of `window`, one batch a stream, by rank; they are forgotten here."""
        for stream in self.model.streams:
            yield merge(stream, self._facts.pop(stream.name, []), window)

    def _settle(self, population: Population) -> None:
        """Make the rosters, blocks and directories of a population; its parent's are there."""
        model = self.model
        parent = None if population.parent is None else model.populations[population.parent].name
        roster = Roster(model, population, self.randomness, self.rosters[parent] if parent else None)
        horizon = (model.start - _oldest(roster), model.end)
        vintages = [
            None if profile.vintage is None else Vintage(profile.vintage, horizon[1] - horizon[0], model.tick)
            for profile in population.profiles
        ]
        present = range(model.blocks) if population.index in self._complete else sorted(self.own)
        blocks = {
            index: Block(
                model,
                population,
                index,
                self.randomness,
                self.blocks[parent][index] if parent else None,
                vintages,
                horizon,
            )
            for index in present
        }
        directory = Directory(roster) if population.shared else None
        self.rosters[population.name] = roster
        self.blocks[population.name] = blocks
        if directory is not None:
            self.directories[population.name] = directory
        self.components.append(Arriving(self._around, population, roster, blocks, self.own, directory))

    def _children(self, block: Block, kind: str) -> Offspring:
        """The index of the children of `kind`, made anew when some have been born since."""
        children = self.blocks[kind][block.index]
        key = (kind, block.index)
        known = self._offspring.get(key)
        if known is None or known[0] != len(children):
            known = (len(children), Offspring(children))
            self._offspring[key] = known
        return known[1]


def _known_everywhere(model: Model) -> frozenset[int]:
    """The populations that every shard needs all blocks of: those that are looked up, and what these descend from."""
    return frozenset(kin.index for kind in model.populations if kind.shared for kin in model.lineage(kind))


def _oldest(roster: Roster) -> int:
    """Age at the start of the oldest entity, in microseconds."""
    line = roster
    while line.parent is not None:
        line = line.parent
    return line.oldest
