"""librdkafka itself: the functions of the library that the client has loaded, and the handle of a producer in it.

The client library has no door to either, so they are looked for where they must be, and every find is proved before it
is used. What cannot be proved is refused, and messages go through `produce()`, which always works.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from typing import Any

import confluent_kafka
from confluent_kafka import Producer, cimpl

NAMES = (
    "rd_kafka_produceva",
    "rd_kafka_error_code",
    "rd_kafka_error_destroy",
    "report",
)
"""What compiled code calls; `report` is the client's own delivery report."""

PUBLISHED = "datagen_"
"""What their names begin with in compiled code."""

_PRODUCER = 0
_PAGE = 4096
_RESULTS: dict[str, Any] = {
    "rd_kafka_version": ctypes.c_int,
    "rd_kafka_type": ctypes.c_int,
    "rd_kafka_opaque": ctypes.c_void_p,
    "rd_kafka_name": ctypes.c_void_p,
    "rd_kafka_conf": ctypes.c_void_p,
    "rd_kafka_conf_get": ctypes.c_int,
    "rd_kafka_conf_set_dr_msg_cb": None,
    "rd_kafka_topic_new": ctypes.c_void_p,
    "rd_kafka_topic_destroy": None,
    "rd_kafka_last_error": ctypes.c_int,
    "rd_kafka_produceva": ctypes.c_void_p,
    "rd_kafka_error_code": ctypes.c_int,
    "rd_kafka_error_destroy": None,
}


class Unfit(Exception):
    """Why messages cannot be handed over by compiled code here."""


@cache
def library() -> Any:
    """The functions of the librdkafka that the client uses. Raises Unfit.

    They are looked up in the client's extension module, which finds them wherever a wheel has put them: in a library of
    any name beside it, in one of the system, or in the module itself.
    """
    if os.name != "posix" or sys.byteorder != "little" or ctypes.sizeof(ctypes.c_void_p) != 8:
        raise Unfit(f"{sys.platform} is not known well enough")
    try:
        found = ctypes.CDLL(cimpl.__file__)
        for name, result in _RESULTS.items():
            getattr(found, name).restype = result
    except (OSError, AttributeError) as error:
        raise Unfit(f"librdkafka cannot be found: {error}") from None
    if found.rd_kafka_version() != confluent_kafka.libversion()[1]:
        raise Unfit("there is more than one librdkafka")
    return found


def handle(producer: Producer, client_id: str) -> int:
    """The address of a producer's rd_kafka_t. Raises Unfit.

    It is the first member of the client's object. That it is one, a producer's, and of this object is proved by what
    librdkafka says of it: its type, its name, and whose it is.
    """
    own = library()
    offset = object.__basicsize__
    if type(producer).__basicsize__ < offset + 8:
        raise Unfit("the client's object does not hold a handle")
    found = ctypes.c_void_p.from_address(id(producer) + offset).value or 0
    if found % 8 or not _bytes_at(found, _PAGE):
        raise Unfit("the client's object does not hold a handle")
    address = ctypes.c_void_p(found)
    is_ours = own.rd_kafka_type(address) == _PRODUCER and own.rd_kafka_opaque(address) == id(producer)
    expected = f"{client_id}#producer-".encode()
    if not is_ours or _bytes_at(own.rd_kafka_name(address) or 0, len(expected)) != expected:
        raise Unfit("the client's object does not hold its handle where it is looked for")
    return found


def report_of(handle: int) -> int:
    """The address of the function that learns what became of each message. Raises Unfit."""
    own = library()
    text, size = ctypes.create_string_buffer(64), ctypes.c_size_t(64)
    conf = ctypes.c_void_p(own.rd_kafka_conf(ctypes.c_void_p(handle)))
    if own.rd_kafka_conf_get(conf, b"dr_msg_cb", text, ctypes.byref(size)):
        raise Unfit("the client does not say who learns what became of messages")
    try:
        return int(text.value, 16)
    except ValueError:
        raise Unfit("nobody learns what became of messages") from None


def redirect(handle: int, report: int) -> None:
    """Let another function learn what became of each message. Raises Unfit where it does not take effect.

    librdkafka takes the function from the settings whenever it has something to report, in the thread that polls; that
    thread must call this.
    """
    own = library()
    conf = ctypes.c_void_p(own.rd_kafka_conf(ctypes.c_void_p(handle)))
    own.rd_kafka_conf_set_dr_msg_cb(conf, ctypes.c_void_p(report))
    if report_of(handle) != report:
        raise Unfit("delivery reports cannot be taken over")


def publish(report: int) -> None:
    """Make the functions known to compiled code, which calls them by name, and `report` as the client's own.

    Raises Unfit.
    """
    import llvmlite.binding

    own = library()
    for name in NAMES:
        address = report if name == "report" else ctypes.cast(getattr(own, name), ctypes.c_void_p).value
        llvmlite.binding.add_symbol(PUBLISHED + name, address)


def _bytes_at(address: int, size: int) -> bytes:
    """What is in memory there; nothing where it cannot be read, which the system says instead of ending the process."""
    if not address:
        return b""
    inlet, outlet = os.pipe()
    try:
        write = ctypes.CDLL(None).write
        write.restype = ctypes.c_ssize_t
        written = write(outlet, ctypes.c_void_p(address), ctypes.c_size_t(size))
        return os.read(inlet, size) if written == size else b""
    finally:
        os.close(inlet)
        os.close(outlet)
