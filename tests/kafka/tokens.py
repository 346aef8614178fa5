"""An identity provider for tests: hands out unsigned tokens for a client's secret, as OIDC's client credentials do."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def token(subject: str) -> str:
    """An unsigned JSON Web Token that is valid for five minutes."""
    now = int(time.time())
    claims = {"sub": subject, "iat": now, "exp": now + 300, "scope": "write"}
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "none"}, claims))
    return b".".join([*parts, b""]).decode()


@contextmanager
def provider(client: str, secret: str) -> Iterator[str]:
    """The URL of its token endpoint, while the context lasts."""
    expected = "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            known = self.headers.get("Authorization") == expected
            answer = {"access_token": token(client), "token_type": "Bearer", "expires_in": 300}
            body = json.dumps(answer if known else {"error": "invalid_client"}).encode()
            self.send_response(200 if known else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/token"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
