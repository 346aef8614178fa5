from __future__ import annotations

import pytest

from sim.cli.terminal.values import parse_overrides, parse_pairs, parse_shard
from sim.errors import ParameterError


@pytest.mark.parametrize(("text", "shard"), [("1/1", (1, 1)), ("2/8", (2, 8)), (" 8/8 ", (8, 8))])
def test_shards_count_from_one(text, shard):
    assert parse_shard(text) == shard


@pytest.mark.parametrize("text", ["0/8", "9/8", "1/0", "2", "a/b", "-1/2", "1/2/3", "1/99999999", ""])
def test_a_shard_that_cannot_be_is_refused_with_its_value(text):
    with pytest.raises(ParameterError, match="1/4"):
        parse_shard(text)


def test_overrides_are_texts_by_path_whatever_is_in_them():
    assert parse_overrides(["a.b=3", "c=2/month", "d=x=y", "e="]) == {"a.b": "3", "c": "2/month", "d": "x=y", "e": ""}


def test_options_of_their_own_are_overrides_too():
    assert parse_overrides(["seed=3"], start="2024-01-01", end=None) == {"seed": "3", "start": "2024-01-01"}


def test_the_same_value_from_two_options_is_refused():
    with pytest.raises(ParameterError, match="both given"):
        parse_overrides(["start=2024-01-01"], start="2024-01-02")
    with pytest.raises(ParameterError, match="twice"):
        parse_overrides(["a=1", "a=2"])


@pytest.mark.parametrize("pair", ["sasl.password", "=hunter2"])
def test_a_setting_without_its_name_is_refused_without_repeating_it(pair):
    with pytest.raises(ParameterError) as error:
        parse_pairs("-X", [pair])
    assert "hunter2" not in str(error.value)
    assert "sasl" not in str(error.value)
