"""The schema registry: the schemas of topics under their subjects, each known by a number that messages carry."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sim.errors import MissingExtra, ParameterError, SinkError
from sinks.contract import Stopped
from sinks.decoding.decoder import Known
from sinks.formats.pieces import Piece
from sinks.kafka.registry_settings import PREFIX, configuration
from sinks.kafka.settings import Settings
from sinks.kafka.waiting import Patience, Waiting

if TYPE_CHECKING:
    from sinks.formats import Format

STRATEGIES: dict[str, Callable[[str, str, str], str]] = {
    "topic": lambda topic, record, part: f"{topic}-{part}",
    "record": lambda topic, record, part: record,
    "topic-record": lambda topic, record, part: f"{topic}-{record}",
}
"""How subjects are named, from the topic, the name of the type, and `key` or `value`."""

LEVELS = ("backward", "backward-transitive", "forward", "forward-transitive", "full", "full-transitive", "none")
"""What registries can demand of a new version of a schema."""

_NOT_FOUND, _CONFLICT, _UNPROCESSABLE = 404, 409, 422
_PASSING = frozenset({429, 502, 503, 504})
"""Answers of a registry, or of what stands before it, that will be others in a while."""

_SHOWN = 400


class Registry:
    """One schema registry that speaks Confluent's interface.

    `register` says whether new schemas are registered, or only those found that are there; `references`, whether the
    types of objects are schemas of their own, under subjects of their own names; `compatibility`, one of `LEVELS`, what
    subjects demand of new versions from then on. Where it does not answer it is asked again as `patience` says. Raises
    MissingExtra where the client is not complete, and ParameterError for settings that it does not take.
    """

    def __init__(
        self,
        url: str,
        settings: Settings,
        register: bool,
        patience: Patience | None = None,
        *,
        references: bool = False,
        compatibility: str = "",
    ) -> None:
        if "@" in url:
            text = f"user and password belong into {PREFIX}basic.auth.user.info, not in the URL"
            raise ParameterError(f"registry=: {text}")
        self.url = url
        self._settings = settings
        self._register = register
        self._references = references
        self._level = compatibility.upper().replace("-", "_")
        self.patience = patience or patient(0.0)
        self._client = self._connected(url)

    def identify(self, subject: str, form: Format) -> int:
        """The number of the format's schema under `subject`.

        Raises SinkError, with what the registry says, where it is not compatible with those before it, where the
        registry does not have it and it is not to be registered, or where the registry does not answer.
        """
        *inner, own = form.pieces if self._references else [Piece(form.full_name, form.schema)]
        known: dict[str, Any] = {}
        for piece in inner:
            known[piece.name] = self._reference(piece, form.language, known)
        return self._registered(subject, own, form.language, known)[0]

    def _reference(self, piece: Piece, language: str, known: Mapping[str, Any]) -> Any:
        """What refers to a type that has a schema of its own."""
        from confluent_kafka.schema_registry import SchemaReference

        version = self._registered(piece.name, piece, language, known, versioned=True)[1]
        return SchemaReference(piece.name, piece.name, version)

    def _registered(
        self, subject: str, piece: Piece, language: str, known: Mapping[str, Any], versioned: bool = False
    ) -> tuple[int, int]:
        """The number of a schema, and which version it is of its subject, 0 where nobody asks.

        `known` are references to those that it needs.
        """
        from confluent_kafka.schema_registry import Schema
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        schema = Schema(piece.text, language, [known[name] for name in piece.needs])
        try:
            return self.patience.outlast(lambda: self._place(subject, schema, versioned), self._passing)
        except SchemaRegistryError as error:
            raise self._refused(subject, piece.text, error) from None
        except Stopped:
            raise
        except Exception as error:
            # The client lets the errors of its HTTP library through, whichever that is.
            raise self._broken(error) from None

    def _place(self, subject: str, schema: Any, versioned: bool) -> tuple[int, int]:
        if self._register:
            demanded = self._demand(subject)
            number = int(self._client.register_schema(subject, schema))
            if not demanded:
                self._demand(subject)
            if not versioned:
                return number, 0
        found = self._client.lookup_schema(subject, schema)
        return int(found.schema_id), int(found.version)

    def _demand(self, subject: str) -> bool:
        """Set what a subject demands of new versions; whether there is nothing left to do.

        There are registries that have to know the subject first.
        """
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        if not self._level:
            return True
        try:
            self._client.set_compatibility(subject, self._level)
        except SchemaRegistryError as error:
            if error.http_status_code != _NOT_FOUND:
                raise
            return False
        return True

    def find(self, number: int) -> Known | None:
        """The schema of that number, with what it refers to; None where the registry has none.

        Raises SinkError where it does not answer.
        """
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        try:
            return self.patience.outlast(lambda: self._known(number), self._passing)
        except SchemaRegistryError as error:
            if error.http_status_code == _NOT_FOUND:
                return None
            reason = self._settings.redact(str(error.error_message or ""))
            raise SinkError(f"{self.url}: schema {number}: HTTP {error.http_status_code}: {reason}") from None
        except Stopped:
            raise
        except Exception as error:
            raise self._broken(error) from None

    def _known(self, number: int) -> Known:
        found = self._client.get_schema(number)
        return Known(found.schema_type or "AVRO", found.schema_str or "", dict(self._referred(found)))

    def _passing(self, error: Exception) -> str:
        """Why it is worth asking again; nothing where the registry has answered, or a certificate is not trusted."""
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        if isinstance(error, SchemaRegistryError):
            return f"HTTP {error.http_status_code}" if error.http_status_code in _PASSING else ""
        # Which HTTP library the client has depends on its version.
        kinds = {kind.__name__ for kind in type(error).__mro__}
        hopeless = re.search("certificate|wrong.version.number", str(error), re.IGNORECASE)
        if not kinds & {"TransportError", "OSError"} or hopeless:
            return ""
        return self._settings.redact(str(error)) or type(error).__name__

    def _referred(self, schema: Any) -> Iterator[tuple[str, str]]:
        """What a schema refers to, however far: texts by the names under which it does."""
        for reference in schema.references or ():
            found = self._client.get_version(reference.subject, reference.version).schema
            yield from self._referred(found)
            yield reference.name, found.schema_str or ""

    def _connected(self, url: str) -> Any:
        try:
            from confluent_kafka.schema_registry import SchemaRegistryClient
        except ImportError:
            raise MissingExtra("registry", "a schema registry") from None
        try:
            return SchemaRegistryClient(configuration(url, self._settings))
        except (ValueError, TypeError, OSError) as error:
            raise ParameterError(f"registry={self.url}: {self._settings.redact(str(error))}") from None

    def _refused(self, subject: str, wanted: str, error: Any) -> SinkError:
        reason = self._settings.redact(str(error.error_message or f"HTTP {error.http_status_code}"))
        if error.http_status_code == _CONFLICT:
            text = f"the schema is not compatible with what is registered: {reason}"
        elif error.http_status_code == _UNPROCESSABLE:
            text = f"the registry refuses the schema: {reason}"
        elif error.http_status_code == _NOT_FOUND and not self._register:
            text = f"register=false, and the registry does not have this schema: {self._there(subject)}"
            text += f"; wanted: {_short(wanted)}"
        else:
            text = f"HTTP {error.http_status_code}: {reason}"
        return SinkError(f"{self.url}: subject {subject!r}: {text}")

    def _there(self, subject: str) -> str:
        """What the registry has under a subject."""
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        try:
            versions = self._client.get_versions(subject)
            latest = self._client.get_latest_version(subject)
        except SchemaRegistryError:
            return "it has no such subject"
        count = f"{len(versions)} versions" if len(versions) > 1 else "one version"
        return f"it has {count}, the latest, {latest.version}, is {_short(latest.schema.schema_str)}"

    def _broken(self, error: Exception) -> SinkError:
        return SinkError(f"{self.url}: the registry does not answer: {self._settings.redact(str(error))}")


def patient(timeout: float, stop: threading.Event | None = None) -> Patience:
    """Patience with a registry: `timeout` seconds, unless `stop` is set before."""
    return Patience(Waiting(target="the schema registry", returned="the schema registry is back"), timeout, stop)


def _short(text: str | None) -> str:
    """A schema on one line, the end cut off where it is long."""
    try:
        line = json.dumps(json.loads(text or ""), separators=(",", ":"))
    except ValueError:
        line = " ".join((text or "").split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 3]}..."
