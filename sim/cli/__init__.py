"""The command line: the only place that knows the engine and the sinks at once."""
