"""One run of one shard: the populations, their parts, and the facts of the present window."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from sim.attributes.column import Column
from sim.batch import Batch
from sim.engine.acting import Acting
from sim.engine.afflict import Afflict
from sim.engine.births import Births
from sim.engine.block import Block
from sim.engine.cases import Cases, parts_of
from sim.engine.chronicle import Chronicles
from sim.engine.contention import Contention
from sim.engine.directory import Directory
from sim.engine.facts import Facts, merge
from sim.engine.fanout import Following
from sim.engine.incidents import Incidents
from sim.engine.labels import Labels
from sim.engine.lifecycle import Lifecycle
from sim.engine.offspring import Offspring
from sim.engine.randomness import Randomness
from sim.engine.roster import Roster
from sim.engine.rows import EventRows, Surroundings
from sim.engine.vintage import Vintage
from sim.engine.window import Window
from sim.model.model import Model, Node, Population
from sim.scenario.incidents import LABEL

Component = Births | Lifecycle | Afflict | Acting | Following | Cases | Contention | Chronicles


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
        self.components: list[Component] = []
        self._offspring: dict[tuple[str, int], tuple[tuple[int, int], Offspring]] = {}
        self._facts: defaultdict[str, list[Facts]] = defaultdict(list)
        self._changing: list[list[Block]] = []
        self._complete = _known_everywhere(model)
        self.incidents = Incidents(model, self.randomness)
        self._labels = Labels(model, self.incidents, own)
        self._around = Surroundings(model, self.randomness, self.directories, self._children, self.incidents)
        self._emitted = frozenset(stream.name for stream in model.streams)
        self._heard = _heard(model)
        self._struck = frozenset(model.disturbances.hits if model.disturbances.facts is not None else ())
        self._marked = model.disturbances.marked
        self._happened: dict[tuple[str, int], tuple[EventRows, dict[str, Column]]] = {}
        for population in model.populations:
            self._settle(population)
        self.components = [self._component(node, thinning or {}) for node in model.nodes]

    def emit(self, stream: str, rows: EventRows, columns: dict[str, Column]) -> None:
        """Take facts of the present window, with all their columns but the event time.

        The label is added to the columns of a stream that carries its own.
        """
        own = rows.block.index in self.own
        if stream in self._struck and stream in self._emitted and own:
            self._labels.mark(stream, rows)
        if stream in self._marked:
            columns[LABEL] = rows.label()
        if stream in self._emitted and own:
            self.add(stream, Facts(rows.times, columns))
        if stream in self._heard:
            self._happened[stream, rows.block.index] = (rows, columns)

    def add(self, stream: str, facts: Facts) -> None:
        """Add facts of the present window that nothing follows from."""
        self._facts[stream].append(facts)

    def close(self, window: Window) -> None:
        """End the window: let lifecycles note what takes effect in the next, and forget the rest."""
        for component in self.components:
            if isinstance(component, Lifecycle):
                component.listen(window)
        self._happened.clear()
        for blocks in self._changing:
            for block in blocks:
                block.close()
        for directory in self.directories.values():
            directory.close()
        if 0 in self.own:
            self._labels.begin(window)
        self._labels.close(window, self.add)

    def spread(self) -> None:
        """Let those who look entities up know of the changes that a component has made, once it has made them all."""
        for directory in self.directories.values():
            directory.follow()

    def collect(self, window: Window) -> Iterator[Batch]:
        """The facts of `window`, one batch a stream, by rank; they are forgotten here."""
        for stream in self.model.streams:
            yield merge(stream, self._facts.pop(stream.name, []), window)

    def _settle(self, population: Population) -> None:
        """Make the rosters, blocks and directories of a population; its parent's are there."""
        model = self.model
        parent = None if population.parent is None else model.populations[population.parent].name
        roster = Roster(model, population, self.randomness, self.incidents, self.rosters[parent] if parent else None)
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
                self.incidents,
            )
            for index in present
        }
        self.rosters[population.name] = roster
        self.blocks[population.name] = blocks
        if population.changing & population.kept:
            self._changing.append(list(blocks.values()))
        if population.shared:
            self.directories[population.name] = Directory(roster, list(blocks.values()))

    def _component(self, node: Node, thinning: Mapping[str, float]) -> Component:
        """What does a node's work in the blocks of this shard (births, and what is needed everywhere: in all known)."""
        model, around = self.model, self._around
        population = model.populations[node.population]
        known = self.blocks[population.name]
        blocks = self._blocks(node, population)
        if node.kind == "births":
            directory = self.directories.get(population.name)
            return Births(around, population, self.rosters[population.name], known, directory, self._hear)
        if node.kind == "states":
            return Lifecycle(around, population, blocks, self._hear)
        if node.kind == "incident":
            incident = next(own for own in model.disturbances.incidents if own.name == node.names[0])
            return Afflict(model, incident, blocks, self._labels.strike)
        if node.kind == "follower":
            follower = next(follower for follower in model.followers if follower.name == node.names[0])
            return Following(around, follower, blocks, self._hear)
        if node.kind == "history":
            chronicle = next(told for told in model.chronicles if told.population == node.population)
            return Chronicles(model, chronicle, blocks, self.add)
        if node.kind == "process":
            return self._process(node, thinning)
        activities = [activity for activity in model.activities if activity.name in node.names]
        return Acting(around, activities, blocks, thinning)

    def _blocks(self, node: Node, population: Population) -> list[Block]:
        known = self.blocks[population.name].values()
        return [block for block in known if node.everywhere or block.index in self.own]

    def _process(self, node: Node, thinning: Mapping[str, float]) -> Component:
        """One process, or several that share resources."""
        flows = [flow for flow in self.model.flows if flow.name in node.names]
        parts = []
        for flow in flows:
            blocks = self._blocks(node, self.model.populations[flow.population])
            parts += parts_of(self._around, flow, blocks, self._hear, thinning.get(flow.name, 1.0))
        shared = any(flow.visits is not None for flow in flows)
        return Contention(self.model, parts, self.add) if shared else Cases(parts)

    def _hear(self, stream: str, block: int) -> tuple[EventRows, dict[str, Column]] | None:
        """What a stream has brought in a block in the present window."""
        return self._happened.get((stream, block))

    def _children(self, block: Block, kind: str) -> Offspring:
        """The index of the children of `kind`, made anew when some have been born since, or parents of some to be."""
        children = self.blocks[kind][block.index]
        sizes = (len(block), len(children))
        known = self._offspring.get((kind, block.index))
        if known is None or known[0] != sizes:
            known = (sizes, Offspring(children))
            self._offspring[kind, block.index] = known
        return known[1]


def _known_everywhere(model: Model) -> frozenset[int]:
    """The populations that every shard needs all blocks of.

    Those that are looked up, those whose facts change them, and what these descend from.
    """
    needed = [kind for kind in model.populations if kind.shared]
    needed += [model.populations[node.population] for node in model.nodes if node.everywhere]
    return frozenset(kin.index for kind in needed for kin in model.lineage(kind))


def _heard(model: Model) -> frozenset[str]:
    """The streams that something outside of their own node follows from."""
    heard = {follower.trigger.source for follower in model.followers}
    heard |= {flow.trigger.source for flow in model.flows if flow.trigger is not None}
    heard |= {population.trigger.source for population in model.populations if population.trigger is not None}
    for population in model.populations:
        for exits in population.machine.exits if population.machine is not None else ():
            heard |= {exit_.trigger.source for exit_ in exits if exit_.trigger is not None}
    return frozenset(heard)


def _oldest(roster: Roster) -> int:
    """Age at the start of the oldest entity, in microseconds."""
    line = roster
    while line.parent is not None:
        line = line.parent
    return line.oldest
