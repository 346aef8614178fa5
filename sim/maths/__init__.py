"""Functions of time and age: units, curves, distributions, hazards. No input or output, no scenario."""
