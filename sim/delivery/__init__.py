"""From ordered batches to a sink: windows, pacing, workers; apart from the simulation and from any particular sink."""
