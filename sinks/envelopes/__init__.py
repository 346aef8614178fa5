"""Envelopes by name: what stands around a fact, whatever the format that writes it down."""

from __future__ import annotations

from sinks.envelopes.cloudevents import CloudEvents, CloudEventsBinary
from sinks.envelopes.debezium import Debezium
from sinks.envelopes.envelope import Envelope

__all__ = ["ENVELOPES", "Envelope"]

_KINDS = (Envelope, CloudEvents, CloudEventsBinary, Debezium)
ENVELOPES: dict[str, type[Envelope]] = {kind.name: kind for kind in _KINDS}
"""Every envelope by the name that `envelope=` gives it."""
