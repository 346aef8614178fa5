"""Load tests: facts on a schedule that waits for nobody, and what became of them, measured from when they were due."""
