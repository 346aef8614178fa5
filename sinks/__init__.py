"""Where facts go: sinks chosen by URL, and the formats they write.

`open_sink(url)` builds the sink; `sinks.contract` says what a sink is, `sinks.conformance` checks one.
"""

from __future__ import annotations

from sinks.contract import Closed, Sink
from sinks.registry import open_sink, register, schemes
from sinks.run import Report, Run
from sinks.target import Target

__all__ = ["Closed", "Report", "Run", "Sink", "Target", "open_sink", "register", "schemes"]
