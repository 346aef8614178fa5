"""The hash by which Kafka's own producer chooses partitions, to hold ours against."""

from __future__ import annotations


def murmur2_of_the_java_client(text):
    """org.apache.kafka.common.utils.Utils.murmur2, word by word."""
    mask, mixed = 0xFFFFFFFF, 0x5BD1E995
    found = 0x9747B28C ^ len(text)
    whole = len(text) // 4 * 4
    for start in range(0, whole, 4):
        word = int.from_bytes(text[start : start + 4], "little") * mixed & mask
        found = (found * mixed & mask) ^ ((word ^ word >> 24) * mixed & mask)
    if text[whole:]:
        found = (found ^ int.from_bytes(text[whole:], "little")) * mixed & mask
    found = (found ^ found >> 13) * mixed & mask
    return found ^ found >> 15
