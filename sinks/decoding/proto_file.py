""".proto files as a registry keeps them, compiled: the descriptor of each message in them.

The compiler is that of Protobuf itself, from the package grpcio-tools, in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from sim.errors import MissingExtra, SinkError

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FileDescriptor

_MAIN = "message.proto"


def compiled(text: str, further: Mapping[str, str] | None = None) -> FileDescriptor:
    """The file `text`; `further` are files that it imports, by the names under which it does.

    Raises SinkError with what the compiler says, MissingExtra where there is none.
    """
    if find_spec("grpc_tools") is None:
        raise MissingExtra("protobuf", "reading Protobuf by the schema of a registry")
    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from google.protobuf.descriptor_pool import DescriptorPool

    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(_compile({**(further or {}), _MAIN: text})).file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool.FindFileByName(_MAIN)


def _compile(files: Mapping[str, str]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="datagen-proto-") as folder:
        root = Path(folder).resolve()
        for name, text in files.items():
            path = (root / name).resolve()
            if not path.is_relative_to(root):
                raise SinkError(f"a .proto file cannot be called {name!r}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        made = root / "made.pb"
        words = [f"--proto_path={root}", f"--descriptor_set_out={made}", "--include_imports", _MAIN]
        # Its own .proto files, of timestamps and the like, it finds itself when started as a module.
        done = subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *words], capture_output=True, text=True)
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["no reason given"]
            raise SinkError(f"the Protobuf schema cannot be compiled: {said[0]}")
        return made.read_bytes()


def message_at(file: FileDescriptor, path: tuple[int, ...]) -> Descriptor:
    """The message that a list of numbers leads to: which one of the file, which one inside that, and so on.

    Raises SinkError where there is none.
    """
    try:
        found = list(file.message_types_by_name.values())[path[0]]
        for place in path[1:]:
            found = found.nested_types[place]
    except IndexError:
        raise SinkError(f"the Protobuf schema has no message number {'.'.join(map(str, path))}") from None
    return found
