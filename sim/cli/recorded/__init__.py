"""What was written before, as commands read it: data sets, recordings, topics, and what came of a run."""
