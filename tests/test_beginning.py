"""The first window is made while a sink opens, and nothing else changes by that."""

from __future__ import annotations

import threading

import pyarrow as pa
import pytest
from commands import SMALL
from fake_batches import Collector

from sim import compile_scenario, load, process, simulate
from sim.delivery.pipeline import deliver
from sim.engine import simulate as engine
from sim.engine.simulate import Simulation
from sim.errors import SimulationError, SinkError
from sinks import Run

PATIENCE = 20


@pytest.fixture(scope="module")
def scenario(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "small.yaml"
    path.write_text(SMALL)
    return load(str(path))


@pytest.fixture
def model(scenario):
    return compile_scenario(scenario)


@pytest.fixture
def worlds(monkeypatch):
    """Where worlds are made, in the order in which that is begun; they are finished once `may_go` is set."""
    made, begun, may_go = [], threading.Event(), threading.Event()
    may_go.set()

    class Watched(engine.World):
        def __init__(self, *arguments):
            made.append(threading.current_thread().name)
            begun.set()
            assert may_go.wait(PATIENCE)
            super().__init__(*arguments)

    monkeypatch.setattr(engine, "World", Watched)
    Watched.made, Watched.begun, Watched.may_go = made, begun, may_go
    yield Watched
    may_go.set()


class Opening(Collector):
    """A sink that does something while it opens."""

    def __init__(self, meanwhile):
        super().__init__()
        self.meanwhile = meanwhile
        self.resumable = True

    def _open(self, streams, run):
        self.meanwhile()
        super()._open(streams, run)


def run_of(model):
    return Run(model.name, model.digest, 0, model.start, model.end)


def rows(batches):
    return [(batch.stream.name, batch.start, batch.data) for batch in batches]


def test_what_is_begun_gives_the_same_facts(model):
    begun = Simulation(model)
    begun.begin()
    assert rows(begun) == rows(simulate(model))


def test_a_window_is_made_before_anybody_takes_it(model, worlds):
    Simulation(model).begin()
    assert worlds.begun.wait(PATIENCE)
    assert worlds.made == ["datagen-begin"]


def test_what_goes_wrong_is_told_to_who_takes_the_window(model, monkeypatch):
    def broken(*arguments):
        raise SimulationError("no such world")

    monkeypatch.setattr(engine, "World", broken)
    begun = Simulation(model)
    begun.begin()
    with pytest.raises(SimulationError, match="no such world"):
        list(begun)


def test_nothing_is_begun_where_snapshots_are_kept(model, worlds, tmp_path):
    kept = Simulation(model, folder=tmp_path)
    kept.begin()
    next(iter(kept))
    assert worlds.made == ["MainThread"]


def test_nothing_is_begun_for_a_users_own_processes(scenario, worlds):
    def idle(env, block):
        yield env.timeout(1)

    own = process("idle", idle, entity="customer", schema={"n": pa.int64()})
    simulation = Simulation(compile_scenario(scenario, processes=[own]))
    simulation.begin()
    next(iter(simulation))
    assert worlds.made == ["MainThread"]


def test_a_sink_opens_while_the_first_window_is_made(model, worlds):
    sink = Opening(lambda: worlds.begun.wait(PATIENCE) or pytest.fail("nothing was begun"))
    deliver(Simulation(model), sink, model.streams, run_of(model))
    assert worlds.made == ["datagen-begin"]
    assert sum(sink.report.facts.values()) == sum(map(len, simulate(model)))


def test_a_sink_that_does_not_open_is_told_of_at_once(model, worlds):
    def refuse():
        assert worlds.begun.wait(PATIENCE)
        raise SinkError("no such place")

    worlds.may_go.clear()
    with pytest.raises(SinkError, match="no such place"):
        deliver(Simulation(model), Opening(refuse), model.streams, run_of(model))


def test_what_is_resumed_begins_once_it_is_known_where(model, worlds):
    sink = Opening(lambda: worlds.made and pytest.fail("begun already"))
    deliver(Simulation(model), sink, model.streams, run_of(model), resume=True)
    assert worlds.made == ["MainThread"]
