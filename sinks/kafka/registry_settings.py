"""Settings of the client of a schema registry, among those of the Kafka client."""

from __future__ import annotations

from typing import Any

from sim.errors import ParameterError
from sinks.kafka.settings import REGISTRY, Settings
from sinks.words import nearest

PREFIX = REGISTRY

NAMES = (
    "url",
    "basic.auth.user.info",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.key.password",
    "bearer.auth.token",
    "bearer.auth.logical.cluster",
    "bearer.auth.identity.pool.id",
    "bearer.auth.issuer.endpoint.url",
    "bearer.auth.client.id",
    "bearer.auth.client.secret",
    "bearer.auth.scope",
    "proxy",
    "timeout",
)
"""The registry's settings, without the prefix."""

_TIMEOUT = 10.0


def configuration(url: str, settings: Settings) -> dict[str, Any]:
    """The configuration of a registry's client. Raises ParameterError for what is no setting of it."""
    given = {name.removeprefix(PREFIX): value for name, value in settings.registry.items()}
    for name in given:
        if name not in NAMES:
            place = settings.places[PREFIX + name]
            raise ParameterError(f"{place}: {PREFIX + name!r} is not a setting{nearest(name, NAMES)}")
    found: dict[str, Any] = {"max.retries": 0, **given, "url": url, "timeout": _seconds(given)}
    source = "STATIC_TOKEN" if "bearer.auth.token" in given else "OAUTHBEARER"
    if any(name.startswith("bearer.auth.") for name in given):
        # The client demands a logical cluster, which only Confluent's own cloud has.
        found = {"bearer.auth.credentials.source": source, "bearer.auth.logical.cluster": "", **found}
        found.setdefault("bearer.auth.identity.pool.id", "")
    if source == "OAUTHBEARER" and "bearer.auth.credentials.source" in found:
        found.setdefault("bearer.auth.scope", "")
    return found


def _seconds(given: dict[str, str]) -> float:
    text = given.get("timeout", "")
    try:
        return float(text) if text else _TIMEOUT
    except ValueError:
        raise ParameterError(f"{PREFIX}timeout: {text!r} is not a number of seconds") from None
