"""Messages back to facts: what formats, envelopes and the wire format of a schema registry have made of them.

parts      what came of some messages: rows, and which messages they are
shape      columns in the types of a stream, whatever a format has made of them
texts      what text formats write for values that they have no type for
framing    the number of a schema before each message
json       JSON objects to columns, of a stream or of anybody
csv        lines of CSV to columns
avro       Avro records to columns
avro_types what Avro schemas say, in types of Arrow
protobuf   Protobuf messages to columns
proto_file .proto files, compiled
unwrap     facts out of envelopes
decoder    all of it: `Decoder.decode` gives a stream's facts, `Decoder.tables` what a stranger's schema says
"""

from __future__ import annotations

from sinks.decoding.decoder import Decoder
from sinks.decoding.parts import Decoded, Part

__all__ = ["Decoded", "Decoder", "Part"]
