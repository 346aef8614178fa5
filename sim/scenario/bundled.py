"""The scenarios that come with the program, by name."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path

from sim.errors import Problem, ScenarioError
from sim.maths.model import shown

_SUFFIXES = (".yaml", ".yml", ".json")


def folder() -> Path:
    """Where the bundled scenarios are: beside the package, in a source tree as in a wheel."""
    return Path(__file__).resolve().parent.parent.parent / "scenarios"


def bundled() -> list[str]:
    """Names of the bundled scenarios, sorted."""
    return sorted(path.stem for path in folder().glob("*.yaml"))


def path_of(name: str) -> Path:
    """The file of the bundled scenario called `name`. Raises ScenarioError with the nearest name."""
    if name not in bundled():
        raise _missing(name)
    return folder() / f"{name}.yaml"


def locate(source: str | os.PathLike[str]) -> Path:
    """The file that `source` means: a path, else a bundled scenario's name. Raises ScenarioError if there is none."""
    text = os.fspath(source)
    if not text or "\0" in text:
        raise ScenarioError([Problem(0, "", "is not the path of a file", shown(text))])
    path = Path(text)
    if _exists(path) and not path.is_dir():
        return path
    if isinstance(source, str) and text in bundled():
        return folder() / f"{text}.yaml"
    raise ScenarioError([Problem(0, "", "is a folder, not a scenario file", text)]) if _exists(path) else _missing(text)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long for the file system, for one
        return False


def _missing(name: str) -> ScenarioError:
    near = get_close_matches(name[:100], bundled(), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    names = ", ".join(bundled()) or "none"
    shape = "there is no such file" if name.endswith(_SUFFIXES) or os.sep in name else "is neither a file nor a name"
    return ScenarioError([Problem(0, "", f"{shape}{hint} (bundled: {names})", name[:200])])
