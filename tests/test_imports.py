"""Imports point one way; the test reads the sources, so that lazy imports inside functions count as well."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ["pages", "maths", "attributes", "scenario", "model", "engine", "delivery", "quality", "cli"]
SOURCES = sorted([*ROOT.glob("sim/**/*.py"), *ROOT.glob("sinks/**/*.py")])
ONLY = {
    "simpy": ("sim/engine/kernel.py", "sim/engine/resources.py"),
    "ruamel": ("sim/scenario/loader.py",),
    "yaml": (),
    "confluent_kafka": ("sinks/kafka", "sim/cli/demo.py"),
    "numba": ("sinks/memory.py", "sinks/kafka/kernel.py"),
    "llvmlite": ("sinks/memory.py", "sinks/kafka/symbols.py"),
    "typer": ("sim/cli/",),
    "rich": ("sim/cli/",),
    "altair": ("sim/pages/",),
    "vl_convert": ("sim/pages/",),
    "jinja2": ("sim/pages/",),
    "networkx": ("sim/pages/",),
    "duckdb": ("sim/quality/",),
    "scipy": ("sim/quality/",),
}


def imported(path: Path) -> set[str]:
    """Every module that a source imports, as dotted names, `if TYPE_CHECKING` left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            names.add(node.module or "")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def allowed(path: Path, module: str) -> bool:
    place, parts = path.relative_to(ROOT).as_posix(), module.split(".")
    if parts[0] in ONLY:
        return place.startswith(ONLY[parts[0]])
    if parts[0] not in ("sim", "sinks"):
        return True
    if place.startswith("sinks/"):
        return parts[0] == "sinks" or parts[:2] in (["sim", "batch"], ["sim", "errors"]) or parts == ["sim"]
    layer = path.relative_to(ROOT).parts[1]
    if parts[0] == "sinks":  # who delivers knows what a sink is, the command line knows which there are
        return layer == "cli" or (
            layer == "delivery" and (len(parts) == 1 or parts[1] in ("contract", "probe", "run", "staging", "target"))
        )
    if layer not in LAYERS or len(parts) == 1 or parts[1] not in LAYERS:
        return layer == "__init__.py" or len(parts) == 1 or parts[1] in ("batch", "errors")
    return LAYERS.index(parts[1]) <= LAYERS.index(layer)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_point_one_way(path):
    assert sorted(name for name in imported(path) if not allowed(path, name)) == []


def test_a_source_that_points_the_wrong_way_would_be_found():
    assert not allowed(ROOT / "sim/maths/x.py", "sim.engine.simulate")
    assert not allowed(ROOT / "sim/engine/x.py", "simpy")
    assert not allowed(ROOT / "sinks/x.py", "sim.model.model")
    assert not allowed(ROOT / "sim/engine/x.py", "sinks.contract")
    assert allowed(ROOT / "sim/delivery/x.py", "sinks.contract")
    assert allowed(ROOT / "sim/delivery/x.py", "sinks.staging")


@pytest.mark.parametrize("module", ["sim", "sim.cli.main"])
def test_what_starts_first_loads_nothing_heavy(module):
    heavy = (
        "{'numpy', 'pyarrow', 'polars', 'pydantic', 'simpy', 'ruamel', 'faker', 'confluent_kafka', 'duckdb', 'scipy'}"
    )
    code = f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.strip() == "[]"


def test_the_public_names_are_where_they_are_said_to_be():
    code = "import sim; print([name for name in sim.__all__ if not hasattr(sim, name)])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.strip() == "[]"
