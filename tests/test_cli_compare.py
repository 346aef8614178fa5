"""`datagen compare` from the outside."""

from __future__ import annotations

import json

import pytest
from commands import invoke
from pairs import WORLD, changed, written


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("compared")
    other = changed(streams__act__attributes__weight__mean=9)
    return str(written(root / "a", WORLD, 1)), str(written(root / "b", WORLD, 2)), str(written(root / "c", other, 3))


def test_two_seeds_give_no_difference_and_exit_code_0(folders):
    result = invoke("compare", *folders[:2], "--fail-over", "0")
    assert result.exit_code == 0
    assert "0 differences" in result.stdout
    assert "comparing: act" in result.stderr


def test_a_difference_is_shown_and_fails_only_beyond_the_distance(folders):
    arguments = ("compare", folders[0], folders[2], "--stream", "act", "-q")
    codes = [invoke(*arguments, *more).exit_code for more in ((), ("--fail-over", "0.9"), ("--fail-over", "0.05"))]
    assert codes == [0, 0, 1]
    assert "DIFFERS" in invoke(*arguments[:-1]).stdout


def test_json_has_everything_and_html_is_a_page(folders, tmp_path):
    target = tmp_path / "compare.html"
    found = json.loads(invoke("compare", folders[0], folders[2], "--json", "--report", str(target)).stdout)
    assert found["differences"][0]["subject"] in ("act.weight", "act.size")
    assert found["differences"][0]["p_value"] < 1e-6
    assert {own["stream"] for own in found["closeness"]} >= {"act"}
    text = target.read_text()
    assert "What differs" in text
    assert "<svg" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--stream", "acts"), "did you mean 'act'"), (("--alpha", "3"), "alpha"), (("--fail-over", "2"), "fail-over")],
)
def test_what_cannot_be_compared_is_said(folders, words, said):
    result = invoke("compare", *folders[:2], *words)
    assert result.exit_code == 2
    assert said in result.stderr


def test_folders_without_a_common_stream_are_refused(folders, tmp_path):
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "x.csv").write_text("a,b\n1,2\n")
    result = invoke("compare", folders[0], str(tmp_path / "t"))
    assert result.exit_code == 2
    assert "nothing in common" in result.stderr
