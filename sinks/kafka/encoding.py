"""How facts become messages: the options `format`, `envelope`, `key.format`, `headers` and those of the registry."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sim.batch import Stream
from sim.errors import ParameterError
from sinks import formats
from sinks.contract import Run
from sinks.envelopes import ENVELOPES
from sinks.formats import Format
from sinks.formats.format import NAMESPACE
from sinks.formats.normal import legal
from sinks.formats.versions import versions
from sinks.kafka.headers import DUE, Headers, named, parse
from sinks.kafka.keys import Keys, key_stream
from sinks.kafka.messages import Encoder
from sinks.kafka.partitions import Partitions
from sinks.kafka.schemas import STRATEGIES, Registry
from sinks.kafka.settings import REGISTRY, Settings
from sinks.kafka.values import Values, Version
from sinks.target import Options

_NAMESPACE = re.compile(r"([A-Za-z_]\w*(\.[A-Za-z_]\w*)*)?", re.ASCII)

TEXT = "string"
"""The key format that is no format: the plain text of the id."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What makes the messages of one stream, as far as it does not depend on the topic's partitions."""

    topic: str
    values: Values
    keys: Keys
    headers: Headers

    def encoder(self, partitions: Partitions | None) -> Encoder:
        """The encoder for the topic, once its partitions are known."""
        return Encoder(self.topic, self.values, self.keys, self.headers, partitions)


class Encoding:
    """Reads its options, and refuses what does not go together, before anything runs.

    Raises ParameterError, and MissingExtra where a library is missing.
    """

    def __init__(self, options: Options, settings: Settings) -> None:
        self._url = options.target.url
        self._value = formats.find(options.choice("format", formats.names(), "json"))
        key = options.choice("key.format", (TEXT, *formats.names()), TEXT)
        self._key = None if key == TEXT else formats.find(key)
        self._envelope = ENVELOPES[options.choice("envelope", ENVELOPES, "plain")]
        self._headers = parse(options.text("headers"))
        self._namespace = options.text("namespace")
        if not _NAMESPACE.fullmatch(self._namespace):
            raise ParameterError(f"{self._url}: option namespace: {self._namespace!r} must be names joined by dots")
        self._subject = STRATEGIES[options.choice("subject", STRATEGIES, "topic")]
        register = options.flag("register", True)
        asked = options.text("registry")
        self._check_envelope(options.text("envelope"))
        url = asked or settings.registry.get(f"{REGISTRY}url", "")
        self._check_registry(asked, url)
        self._registry = Registry(url, settings, register) if url and self._has_schema else None

    @property
    def _has_schema(self) -> bool:
        return any(kind is not None and kind.language for kind in (self._value, self._key))

    def _check_envelope(self, name: str) -> None:
        able = self._envelope.formats
        if able and self._value.name not in able:
            hint = "; cloudevents-binary takes any format" if name == "cloudevents" else ""
            text = f"envelope={name} cannot be written as {self._value.name}; formats: {', '.join(sorted(able))}{hint}"
            raise ParameterError(f"{self._url}: {text}")

    def _check_registry(self, asked: str, url: str) -> None:
        if asked and not self._has_schema:
            text = "registry= is given, but json, csv and text have no schema; formats that do:"
            able = [name for name in formats.names() if formats.find(name).language]
            raise ParameterError(f"{self._url}: {text} {', '.join(able)}")
        for option, kind in (("format", self._value), ("key.format", self._key)):
            if not url and kind is not None and kind.name == "jsonschema":
                raise ParameterError(f"{self._url}: {option}=jsonschema is json with registry=URL, which is missing")

    def prepare(self, stream: Stream, topic: str, run: Run) -> Prepared:
        """Everything for one stream; its schemas are registered, or found, here.

        Raises SinkError where the registry does not go along.
        """
        namespace = self._namespace or f"{NAMESPACE}.{legal(run.scenario)}"
        found = versions(stream, run.start, run.end)
        values = Values([self._version(start, own, topic, run, namespace) for start, own in found])
        key = None if self._key is None else self._key(key_stream(stream), f"{namespace}.{stream.name}")
        self._identify(key, topic, "key")
        headers = named(self._headers, stream, run) | values.envelope.headers(self._value.content_type)
        return Prepared(topic, values, Keys(stream, key), Headers(headers, self._headers.get(DUE) == ""))

    def _version(self, start: int, stream: Stream, topic: str, run: Run, namespace: str) -> Version:
        envelope = self._envelope(stream, run, namespace)
        form = self._value(envelope.stream, envelope.namespace)
        self._identify(form, topic, "value")
        return Version(start, envelope, form)

    def _identify(self, form: Format | None, topic: str, part: str) -> None:
        if form is not None and form.language and self._registry is not None:
            number = self._registry.identify(self._subject(topic, form.full_name, part), form)
            form.header = form.framing(number)
