"""The true influence of touchpoints: exact, and the same as what the generated journeys show."""

from __future__ import annotations

import json

import evidence
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from journeys import NEXT, STEPS, branches, coded, early, journeys, ordered
from scipy import stats
from typer.testing import CliRunner
from worlds import SEED, model, tables

from sim.cli.main import app
from sim.engine.influence import measured
from sim.errors import ParameterError
from sim.maths.absorbing import Chain
from sim.model.truth import truths_of

CHANNELS = ("search", "social", "email")


def truth_of(mapping):
    compiled = model(mapping)
    return truths_of(compiled, compiled.flows[0])


def effects(found):
    return [touch.removal_effect for touch in found.touches]


def dense(first, moves):
    """A chain from a matrix of moves."""
    source, target = np.nonzero(moves)
    return Chain(np.asarray(first, dtype=float), source, target, np.asarray(moves)[source, target])


@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_visits_solve_the_equations_of_the_chain(size, seed):
    rng = np.random.default_rng(seed)
    moves = rng.dirichlet(np.ones(size + 1), size)[:, :size] * (rng.random((size, size)) < 0.7)
    first = rng.dirichlet(np.ones(size))
    np.testing.assert_allclose(
        dense(first, moves).visits(), np.linalg.solve(np.eye(size) - moves.T, first), rtol=1e-9, atol=1e-11
    )


def test_a_chain_without_an_end_is_an_error():
    with pytest.raises(ParameterError, match="no end"):
        dense([1, 0], [[0, 1], [1, 0]]).visits()


def test_removal_effects_of_a_textbook_example():
    # Paths c1 > c2 > c3 > buy, c1, c2 > c3: half of the conversions need c1, all of them c2 and c3.
    spec = {
        "first": {"c1": 2, "c2": 1},
        "steps": {"c1": {"next": {"c2": 0.5}}, "c2": {"next": {"c3": 1}}, "c3": {"next": {"buy": 0.5}}, "buy": {}},
        "conversions": ["buy"],
        "timeout": None,
    }
    (found,) = truth_of(journeys(1, spec))
    assert found.converting == pytest.approx(1 / 3)
    assert effects(found) == pytest.approx([0.5, 1, 1])
    assert found.shares == pytest.approx({"c1": 0.2, "c2": 0.4, "c3": 0.4})
    assert [touch.visits for touch in found.touches] == pytest.approx([2 / 3, 2 / 3, 2 / 3])


def test_without_a_lookback_nothing_is_cut_off_and_with_one_its_share_is():
    spec = {"first": "a", "steps": {"a": {"next": {"buy": 0.5}}, "buy": {}}, "conversions": ["buy"]}
    gaps = {
        "gamma": ({"type": "gamma", "mean": "4d", "shape": 3}, stats.gamma(3, scale=4 / 3)),
        "weibull": ({"type": "weibull", "scale": "4d", "shape": 0.7}, stats.weibull_min(0.7, scale=4)),
        "beta": ({"type": "beta", "a": 2, "b": 3, "low": "0d", "high": "12d"}, stats.beta(2, 3, scale=12)),
        "triangular": (
            {"type": "triangular", "low": "1d", "mode": "5d", "high": "9d"},
            stats.triang(0.5, loc=1, scale=8),
        ),
    }
    for after, law in gaps.values():
        (found,) = truth_of(journeys(1, {**spec, "after": after, "timeout": "6d"}))
        assert found.converting == pytest.approx(0.5 * law.cdf(6))
    (found,) = truth_of(journeys(1, {**spec, "after": "8d", "timeout": None}))
    assert found.converting == pytest.approx(0.5)


def test_a_limit_ends_the_journey_that_would_pass_it():
    steps = {"a": {"next": {"a": 0.6, "buy": 0.2}, "limit": 3}, "buy": {}}
    spec = {"first": "a", "steps": steps, "conversions": ["buy"], "timeout": None}
    (found,) = truth_of(journeys(1, spec))
    assert found.converting == pytest.approx(0.2 * (1 + 0.6 + 0.36))
    assert found.touches[0].visits == pytest.approx(1 + 0.6 + 0.36)


def test_a_time_out_may_lead_somewhere_else():
    late = {"to": "buy", "probability": 0.4, "after": {"type": "exponential", "mean": "1d"}, "timeout": "1d"}
    steps = {"a": {"next": [{**late, "otherwise": "mail"}]}, "mail": {"next": {"buy": 0.5}}, "buy": {}}
    (found,) = truth_of(journeys(1, {"first": "a", "steps": steps, "conversions": ["buy"], "timeout": None}))
    missed = 0.4 * np.exp(-1)
    assert found.converting == pytest.approx(0.4 - missed + missed / 2)
    assert effects(found)[1] == pytest.approx(missed / 2 / found.converting)


@pytest.fixture(scope="module")
def walked():
    return early(ordered(tables(journeys(6000))["journey"]))


def removal_effects(first, counts):
    """Of the channels of an empirical first-order chain, by solving its equations with and without each of them."""
    moves = counts / counts.sum(axis=1, keepdims=True)
    size, goal = len(STEPS), STEPS.index("purchase")

    def converting(without=None):
        stay = np.ones(size)
        stay[[] if without is None else [without]] = 0
        until = moves[:, :size] * stay * (np.arange(size) != goal)[:, None]
        return np.linalg.solve(np.eye(size) - until.T, first * stay)[goal]

    whole = converting()
    return [1 - converting(STEPS.index(name)) / whole for name in CHANNELS]


def test_the_removal_effects_of_the_generated_journeys_are_the_truth(walked):
    case, step = coded(walked)
    new = np.append(True, case[1:] != case[:-1])
    following = np.where(np.append(new[1:], True), len(STEPS), np.append(step[1:], 0))
    number, rng = np.cumsum(new) - 1, np.random.default_rng(SEED)

    def estimate(times):
        weight, size = times[number], len(STEPS)
        counts = np.bincount(step * (size + 1) + following, weight, size * (size + 1)).reshape(size, size + 1)
        first = np.bincount(step[new], weight[new], size)
        return removal_effects(first / first.sum(), counts)

    cases = int(new.sum())
    drawn = [estimate(np.bincount(rng.integers(cases, size=cases), minlength=cases)) for _ in range(150)]
    (truth,) = truth_of(journeys())
    for found, error, declared in zip(estimate(np.ones(cases)), np.std(drawn, axis=0), effects(truth), strict=True):
        evidence.near(found, error, declared)


def test_most_journeys_never_convert_and_some_do_more_than_once(walked):
    (truth,) = truth_of(journeys())
    bought = walked.group_by("journey_case_id").agg((pl.col("step") == "purchase").sum().alias("times"))["times"]
    evidence.share((bought > 0).sum(), len(bought), truth.converting)
    evidence.mean(bought.to_numpy(), truth.conversions)
    assert truth.converting < 0.5
    assert (bought > 1).any()


def test_the_truth_of_a_history_agrees_with_a_run():
    history = {"history": {"email": [1, 2, 3], "any": [0.3, 1, 0.5]}}
    process = {"steps": {name: {"next": branches(name, purchase=history)} for name in NEXT}}
    compiled = model(journeys(10_000, process))
    (exact,) = truths_of(compiled, compiled.flows[0])
    run = measured(compiled, compiled.flows[0], SEED)
    for one, other in zip(run.touches, exact.touches, strict=True):
        evidence.near(one.removal_effect, one.error, other.removal_effect)


def test_the_truth_of_all_is_the_mixture_of_the_segments_by_their_activity():
    tier = {"vip": {"weight": 1, "activity": 3}, "plain": {"weight": 2}}
    entities = {"user": {"initial": {"count": 6000}, "segments": {"tier": tier}}}
    vip = {"segments": {"tier": {"vip": {"probability": 2.5, "delay": 0.2}}}}
    process = {"steps": {name: {"next": branches(name, purchase=vip)} for name in NEXT}}
    compiled = model(journeys(process=process, entities=entities))
    whole, *parts = truths_of(compiled, compiled.flows[0])
    assert [(part.segment["tier"], round(part.weight, 9)) for part in parts] == [("vip", 0.6), ("plain", 0.4)]
    assert whole.converting == pytest.approx(0.6 * parts[0].converting + 0.4 * parts[1].converting)
    run = measured(compiled, compiled.flows[0], SEED)
    for one, other in zip(run.touches, whole.touches, strict=True):
        evidence.near(one.removal_effect, one.error, other.removal_effect)


def test_chances_that_change_with_time_are_measured_in_a_run(tmp_path):
    season = {"curves": {"probability": [{"type": "month", "weights": [1] * 6 + [0.5] * 6}]}}
    process = {"steps": {name: {"next": branches(name, purchase=season)} for name in NEXT}}
    compiled = model(journeys(500, process))
    with pytest.raises(ParameterError, match="change with time"):
        truths_of(compiled, compiled.flows[0])
    file = tmp_path / "journeys.json"
    file.write_text(json.dumps(journeys(500, process)))
    result = CliRunner().invoke(app, ["truth", str(file), "--json"])
    (found,) = json.loads(result.output)["truth"]
    assert found["method"] == "measured"
    assert all(step["removal_effect_error"] > 0 for step in found["steps"] if step["visits_per_case"])


def test_the_command_prints_the_truth(tmp_path):
    file = tmp_path / "journeys.json"
    file.write_text(json.dumps(journeys(10)))
    table = CliRunner().invoke(app, ["truth", str(file)])
    (truth,) = truth_of(journeys(10))
    assert table.exit_code == 0
    for touch in truth.touches:
        assert f"{touch.removal_effect:.4f}" in table.output
    assert CliRunner().invoke(app, ["truth", "storefront"]).exit_code == 2


def test_chances_above_1_after_their_factors_are_an_error():
    history = {"history": {"email": [1, 9]}}
    process = {"steps": {name: {"next": branches(name, purchase=history)} for name in NEXT}}
    with pytest.raises(ParameterError, match=r"'search' sum to 1\.65"):
        truth_of(journeys(10, process))


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_the_truth_is_written_beside_the_data(tmp_path, kind):
    file, out = tmp_path / "journeys.json", tmp_path / "out"
    file.write_text(json.dumps(journeys(10)))

    def run(*more):
        return CliRunner().invoke(app, ["run", str(file), "--quiet", "--to", f"{kind}:{out}?mode=overwrite", *more])

    assert run().exit_code == 0
    told = json.loads(CliRunner().invoke(app, ["truth", str(file), "--json"]).output)
    assert json.loads((out / "truth.json").read_text()) == told
    assert run("--shard", "2/2").exit_code == 0
    assert run("--shard", "1/2").exit_code == 0
    assert json.loads((out / "truth.json").read_text()) == told
    assert run("--set", "processes.journey.conversions=[]").exit_code == 0
    assert not (out / "truth.json").exists()
