"""The command line, the only place that knows the engine and the sinks: a module a command, their parts in rooms."""
