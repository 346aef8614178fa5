"""A real schema registry for tests: Apicurio Registry, in memory, on a free local port.

It is the last line of releases that run on Java 17. Maven fetches it once; whoever has a registry that speaks
Confluent's interface already names its URL in DATAGEN_TEST_REGISTRY instead. `Gate` stands before one and asks who is
there.
"""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.kafka.broker import CACHE, PLUGIN, START_SECONDS, end_with_parent, free_ports, run_command

VERSION = "2.6.13.Final"
ARTIFACT = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
FOLDER = CACHE.parent / f"registry-{VERSION}"
API = "/apis/ccompat/v7"


class Registry:
    """A registry process; `url` is the root of its Confluent-compatible interface."""

    def __init__(self) -> None:
        (self._port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self._port}{API}"
        self._log = FOLDER / f"output-{self._port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Registry:
        jar = program()
        options = ["-Xmx512m", "-XX:TieredStopAtLevel=1", f"-Dquarkus.http.port={self._port}"]
        command = ["java", *options, "-Dquarkus.http.host=127.0.0.1", "-jar", str(jar)]
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=output, start_new_session=True, preexec_fn=end_with_parent
            )
        try:
            self._wait(self._process)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
        self._log.unlink(missing_ok=True)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            with suppress(OSError), urllib.request.urlopen(f"{self.url}/subjects", timeout=2):
                return
            time.sleep(0.2)
        raise RuntimeError(f"the registry does not answer: {self._log.read_text(errors='replace')[-2000:]}")


def program() -> Path:
    """The jar that runs, fetched and unpacked the first time."""
    kept = FOLDER / f"apicurio-registry-app-{VERSION}-runner.jar"
    if not kept.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        copy = [f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={FOLDER}", "-Dmdep.useBaseVersion=true"]
        run_command(["mvn", "-B", "-q", f"{PLUGIN}:copy", *copy], "Maven cannot fetch the registry")
        (packed,) = FOLDER.glob("*.tar.gz")
        shutil.unpack_archive(packed, FOLDER, "gztar")
        packed.unlink()
    return kept


class Gate:
    """Passes requests on to a registry, but only with the right `Authorization`; keeps those that it has seen.

    With a certificate (PEM with key) it speaks TLS, and asks for a client's certificate signed by it.
    """

    def __init__(self, upstream: str, authorization: str = "", certificate: Path | None = None) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(upstream, authorization))
        scheme = "http"
        if certificate is not None:
            scheme = "https"
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificate))
            context.load_cert_chain(certificate)
            context.verify_mode = ssl.CERT_REQUIRED
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Gate:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(upstream: str, authorization: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if authorization and self.headers.get("Authorization") != authorization:
                self._answer(401, b'{"error_code": 40101, "message": "who are you?"}')
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or None
            passed = {"Content-Type": self.headers.get("Content-Type", "application/json")}
            request = urllib.request.Request(upstream + self.path, body, passed, method=self.command)
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    self._answer(answer.status, answer.read())
            except urllib.error.HTTPError as error:
                self._answer(error.code, error.read())

        do_POST = do_PUT = do_GET

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing: the tests' output is not its place."""

    return Handler


def given() -> str | None:
    """The registry that is named from outside."""
    return os.environ.get("DATAGEN_TEST_REGISTRY")
