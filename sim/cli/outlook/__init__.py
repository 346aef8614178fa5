"""The parts of `datagen plan`: a forecast weighed, in tables, drawn, and as a page."""
