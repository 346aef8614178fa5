"""`kafka://HOST:PORT[,HOST:PORT]` sends each stream to a topic.

settings   the client's settings: defaults, a properties file, -X, the environment; what must not be printed
topics     names, creation for simulated time, warnings about topics that would drop or refuse the facts
client     the connection: one producer, what it acknowledged and what failed
encoding   the options that say how facts become messages, and what they need
schemas    the schema registry
headers    what stands beside messages
beside     columns that stand beside the facts of a recording
keys       the keys of messages
messages   facts to values, keys, timestamps and headers, in bulk
enqueue    messages to the producer, as cheaply as it allows
records    reading topics, partition by partition
reading    the facts in topics, whatever their format
sink       the sink itself
mock       the client library's own broker in this process, for a demonstration
"""

from __future__ import annotations

from sinks.kafka.sink import Kafka

__all__ = ["Kafka"]
