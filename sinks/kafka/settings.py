"""The settings of the Kafka client, and which of their values are secrets.

Later ones win: datagen's defaults, a properties file (`config=FILE` in the URL), settings given beside the URL. In
every value `${NAME}` stands for an environment variable, which keeps secrets out of files and of the shell's history.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sim.errors import ParameterError
from sinks.kafka.names import SETTINGS
from sinks.target import Target
from sinks.words import nearest

DEFAULTS = {
    "client.id": "datagen",
    "enable.idempotence": "true",
    "linger.ms": "50",
    "batch.size": "1000000",
    "batch.num.messages": "1000000",
    "queue.buffering.max.messages": "500000",
    "queue.buffering.max.kbytes": "1048576",
    "compression.type": "lz4",
    "message.timeout.ms": "120000",
    # The Java client's partitioner: who joins these topics with others finds equal keys on equal partitions.
    "partitioner": "murmur2_random",
}
"""High throughput without loss or reordering; each can be overridden."""

OURS = {
    "delivery.report.only.error": "datagen counts what is acknowledged itself",
    "transactional.id": "datagen names its transactions itself, where exactly_once=true asks for them",
}
"""Settings that cannot be given, and why."""

REGISTRY = "schema.registry."
"""What the settings of the schema registry begin with; the Kafka client does not see those."""

_SECRET = re.compile(r"passw|passphrase|secret|key\.pem|oauthbearer\.config|jaas|token$|credential|user\.info$")
_OBJECT = re.compile(r"_cb$|^(logger|on_delivery|opaque|default[._]topic[._]conf(ig)?)$")
_UNKNOWN = re.compile(r'No such configuration property: "([^"]*)"')
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


@dataclass(frozen=True, slots=True, repr=False)
class Settings:
    """Values by name, as the client takes them; `redact` before anything of them is shown.

    `registry` holds those of the schema registry, with their prefix. `places` says where a setting was given
    (FILE:LINE, or "settings" for those beside the URL).
    """

    values: Mapping[str, str]
    secrets: frozenset[str]
    places: Mapping[str, str]
    registry: Mapping[str, str] = field(default_factory=dict)

    def within_transactions(self, name: str, timeout_ms: int) -> Settings:
        """These settings for a producer of transactions, which is known by `name`."""
        ours = {"transactional.id": name, "transaction.timeout.ms": str(timeout_ms), "enable.idempotence": "true"}
        return replace(self, values={**self.values, **ours})

    def refused(self, text: str) -> ParameterError:
        """The client's refusal of these settings, in which place it was given, with the nearest name."""
        unknown = _UNKNOWN.search(text)
        if unknown:
            return _unknown(unknown[1], self.places.get(unknown[1], "settings"))
        place = next((f"{place}: {name}: " for name, place in self.places.items() if f'"{name}"' in text), "")
        return ParameterError(f"{place}{self.redact(text.strip())}")

    def redact(self, text: str) -> str:
        """`text` with every secret replaced by `***`."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


def resolve(target: Target, config: str) -> Settings:
    """The settings for `target`, with those of the properties file `config` unless that is empty.

    Raises ParameterError, which never shows a secret, for a file that cannot be read, a line that is not
    `name=value`, an unknown setting (with the nearest one) and a variable that is not set.
    """
    given = dict(_properties(Path(config))) if config else {}
    given.update({name: (value, "settings") for name, value in target.settings.items()})
    secrets: set[str] = set()
    values = dict(DEFAULTS)
    for name, (raw, place) in given.items():
        if name in OURS:
            raise ParameterError(f"{place}: {name} cannot be given: {OURS[name]}")
        if _OBJECT.search(name):
            raise _unknown(name, place)
        values[name] = _expand(name, raw, place, secrets)
        if _SECRET.search(name):
            secrets.add(values[name])
        if name.endswith("user.info"):
            secrets.add(values[name].partition(":")[2])
    registry = {name: values.pop(name) for name in given if name.startswith(REGISTRY)}
    if target.location:
        values["bootstrap.servers"] = target.location
    if not values.get("bootstrap.servers"):
        raise ParameterError(f"{target.url}: an address is needed, as in 'kafka://localhost:9092'")
    return Settings(values, frozenset(secrets - {""}), {name: place for name, (_, place) in given.items()}, registry)


def _properties(path: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ParameterError(f"config={path}: {reason}") from None
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text[0] in "#!":
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ParameterError(f"{path}:{number}: a line must be name=value, or a comment after #")
        yield name.strip(), (value.strip(), f"{path}:{number}")


def _unknown(name: str, place: str) -> ParameterError:
    return ParameterError(f"{place}: {name!r} is not a setting of librdkafka{nearest(name, SETTINGS)}")


def _expand(name: str, value: str, place: str, secrets: set[str]) -> str:
    def variable(found: re.Match[str]) -> str:
        text = os.environ.get(found[1])
        if text is None:
            raise ParameterError(f"{place}: {name}: the environment variable {found[1]!r} is not set")
        secrets.add(text)
        return text

    return _VARIABLE.sub(variable, value)
