"""Envelopes by name: what stands around a fact, whatever the format that writes it down."""

from __future__ import annotations

from sinks.envelopes.cloudevents import CloudEvents, CloudEventsBinary
from sinks.envelopes.debezium import Debezium
from sinks.envelopes.envelope import Envelope

__all__ = ["ENVELOPES", "Envelope"]

ENVELOPES: dict[str, type[Envelope]] = {
    "plain": Envelope,
    "cloudevents": CloudEvents,
    "cloudevents-binary": CloudEventsBinary,
    "debezium": Debezium,
}
"""Every envelope by the name that `envelope=` gives it."""
