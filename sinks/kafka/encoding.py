"""How facts become messages: the options `format`, `envelope`, `key.format`, `headers` and those of the registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sim.batch import Stream
from sim.errors import ParameterError
from sinks import formats
from sinks.damage import possible
from sinks.envelopes import ENVELOPES, Envelope
from sinks.formats import Format
from sinks.kafka.beside import Beside, facts_of
from sinks.kafka.headers import DUE, Headers, named, parse
from sinks.kafka.keys import Keys
from sinks.kafka.messages import Encoder
from sinks.kafka.partitions import Partitions
from sinks.kafka.schemas import LEVELS, STRATEGIES, Registry
from sinks.kafka.settings import REGISTRY, Settings
from sinks.kafka.values import Style, Values
from sinks.kafka.waiting import Patience
from sinks.run import Run
from sinks.target import Options

TEXT = "string"
"""The key format that is no format: the plain text of the id."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What makes the messages of one stream, as far as it does not depend on the topic's partitions."""

    topic: str
    values: Values
    keys: Keys
    headers: Headers
    deleted: str | None = None

    def encoder(self, partitions: Partitions | None) -> Encoder:
        """The encoder for the topic, once its partitions are known."""
        return Encoder(self.topic, self.values, self.keys, self.headers, partitions, self.deleted)


class Encoding:
    """Reads its options, and refuses what does not go together, before anything runs.

    Raises ParameterError, and MissingExtra where a library is missing.
    """

    def __init__(self, options: Options, settings: Settings) -> None:
        self._url = options.target.url
        self._value = formats.find(options.choice("format", formats.names(), "json"))
        key = options.choice("key.format", (TEXT, *formats.names()), TEXT)
        self._key = None if key == TEXT else formats.find(key)
        envelope = ENVELOPES[options.choice("envelope", ENVELOPES, "plain")]
        self._style = self._styled(self._value, envelope, options.text("namespace"))
        self._headers = parse(options.text("headers"))
        self._subject = STRATEGIES[options.choice("subject", STRATEGIES, "topic")]
        register = options.flag("register", True)
        asked = options.text("registry")
        url = asked or settings.registry.get(f"{REGISTRY}url", "")
        self._check_registry(asked, url)
        references, level = options.flag("references", False), options.choice("compatibility", LEVELS, "")
        if (references or level) and not (url and self._has_schema and (register or not level)):
            words = "references=true is for schemas in" if references else "compatibility= is for schemas registered in"
            raise ParameterError(
                f"{self._url}: {words} a registry: it needs registry=URL and a format that has a schema"
            )
        more: dict[str, Any] = {"references": references, "compatibility": level}
        self._registry = Registry(url, settings, register, **more) if url and self._has_schema else None

    @property
    def damages(self) -> frozenset[str]:
        """The kinds of damage that values in this format can take."""
        return possible(self._value, framed=self._registry is not None and bool(self._value.language))

    @property
    def _has_schema(self) -> bool:
        return any(kind is not None and kind.language for kind in (self._value, self._key))

    def _styled(self, form: type[Format], envelope: type[Envelope], namespace: str) -> Style:
        try:
            return Style(form, envelope, namespace)
        except ParameterError as error:
            raise ParameterError(f"{self._url}: {error}") from None

    def _check_registry(self, asked: str, url: str) -> None:
        if asked and not self._has_schema:
            text = "registry= is given, but json, csv and text have no schema; formats that do:"
            able = [name for name in formats.names() if formats.find(name).language]
            raise ParameterError(f"{self._url}: {text} {', '.join(able)}")
        for option, kind in (("format", self._value), ("key.format", self._key)):
            if not url and kind is not None and kind.name == "jsonschema":
                raise ParameterError(f"{self._url}: {option}=jsonschema is json with registry=URL, which is missing")

    def wait(self, patience: Patience) -> None:
        """Be so patient with a registry that does not answer."""
        if self._registry is not None:
            self._registry.patience = patience

    def prepare(self, stream: Stream, topic: str, run: Run) -> Prepared:
        """Everything for one stream; its schemas are registered, or found, here.

        Raises SinkError where the registry does not go along.
        """
        beside, stream = Beside.of(stream), facts_of(stream)
        values = Values(self._style.versions(stream, run))
        for version in values.versions:
            self._identify(version.format, topic, "value")
        key = None if self._key is None else Style(self._key, Envelope, self._style.namespace).key(stream, run)
        self._identify(key, topic, "key")
        headers = named(self._headers, stream, run) | values.envelope.headers(self._value.content_type)
        made = Headers(headers, self._headers.get(DUE) == "", beside.headers)
        return Prepared(topic, values, Keys(stream, key), made, beside.deleted)

    def _identify(self, form: Format | None, topic: str, part: str) -> None:
        if form is not None and form.language and self._registry is not None:
            number = self._registry.identify(self._subject(topic, form.full_name, part), form)
            form.header = form.framing(number)
