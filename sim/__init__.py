"""datagen: scenario files become realistic, reproducible facts.

The public names are loaded on first use, so that `import sim` costs nothing:

    import sim

    scenario = sim.load("storefront", {"end": "2023-03-01"})
    model = sim.compile_scenario(scenario)
    tables = sim.to_polars(sim.simulate(model, seed=7))
    tables["order"].head()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.attributes.column import Column
    from sim.attributes.registry import register_generator
    from sim.batch import Batch, Stream
    from sim.delivery.collect import to_arrow, to_polars
    from sim.engine.forecast import forecast
    from sim.engine.simulate import simulate
    from sim.errors import DatagenError
    from sim.model.compile import compile_scenario
    from sim.model.process import process
    from sim.scenario.loader import load

__all__ = [
    "Batch",
    "Column",
    "DatagenError",
    "Stream",
    "__version__",
    "compile_scenario",
    "forecast",
    "load",
    "process",
    "register_generator",
    "simulate",
    "to_arrow",
    "to_polars",
]

_HOMES = {
    "Batch": "sim.batch",
    "Column": "sim.attributes.column",
    "DatagenError": "sim.errors",
    "Stream": "sim.batch",
    "compile_scenario": "sim.model.compile",
    "forecast": "sim.engine.forecast",
    "load": "sim.scenario.loader",
    "process": "sim.model.process",
    "register_generator": "sim.attributes.registry",
    "simulate": "sim.engine.simulate",
    "to_arrow": "sim.delivery.collect",
    "to_polars": "sim.delivery.collect",
}

__version__: str


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _HOMES:
        raise AttributeError(f"module 'sim' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("datagen")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0+unknown"
