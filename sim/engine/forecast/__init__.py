"""What a run will give, before it runs: pilot worlds, what their roots show, and intervals for any seed."""

from __future__ import annotations

from sim.engine.forecast.forecaster import (
    Forecast,
    PopulationForecast,
    StreamForecast,
    forecast,
    sample_table,
)
from sim.engine.forecast.moments import Estimate

__all__ = ["Estimate", "Forecast", "PopulationForecast", "StreamForecast", "forecast", "sample_table"]
