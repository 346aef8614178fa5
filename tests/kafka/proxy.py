"""A proxy between clients and a broker, which can cut connections and stand still."""

import selectors
import socket
import threading
from contextlib import suppress


class Proxy:
    """Passes bytes on between clients of the port `front` and the port `behind`, both on this machine, in a thread.

    Given `cut_after`, every connection is cut whenever clients have sent so many bytes, in the middle of a request.
    Given `words`, it is cut when a client sends the next of these, which the broker gets only where that is `after` it.
    """

    def __init__(self, front, behind, cut_after=None, words=(), after=False):
        self._front, self._behind = front, behind
        self._cut_after, self._passed = cut_after, 0
        self._words, self._after = list(words), after
        self._clients = set()
        self._twins = {}
        self._events = selectors.DefaultSelector()
        self._over, self._going = threading.Event(), threading.Event()
        self._going.set()
        self.cuts = 0
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", self._front))
        self._events.register(self._listener, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._going.set()
        self._thread.join()
        self._close_all()
        self._listener.close()

    def stop(self):
        """Let nothing through, and end nothing, until `go`."""
        self._going.clear()

    def go(self):
        self._going.set()

    def _run(self):
        while not self._over.is_set():
            self._going.wait()
            for key, _ in self._events.select(timeout=0.02):
                self._accept() if key.fileobj is self._listener else self._pass_on(key.fileobj)

    def _accept(self):
        client = self._listener.accept()[0]
        server = socket.create_connection(("127.0.0.1", self._behind))
        self._clients.add(client)
        for one, other in ((client, server), (server, client)):
            self._twins[one] = other
            self._events.register(one, selectors.EVENT_READ)

    def _pass_on(self, one):
        if one not in self._twins:
            return
        try:
            data = one.recv(1 << 16)
            if one in self._clients and self._is_due(len(data)):
                self._twins[one].sendall(data[: len(data) // 2])
                return self._close_all()
            said = one in self._clients and self._is_said(data)
            if not said or self._after:
                self._twins[one].sendall(data)
            if said:
                return self._close_all()
        except OSError:
            data = b""
        if not data:
            self._close(one)

    def _is_due(self, size):
        self._passed += size
        if self._cut_after is None or self._passed < self._cut_after:
            return False
        self._passed = 0
        self.cuts += 1
        return True

    def _is_said(self, data):
        """Whether the next of the words is in there."""
        if not self._words or self._words[0] not in data:
            return False
        self._words.pop(0)
        self.cuts += 1
        return True

    def _close(self, one):
        for end in (one, self._twins[one]):
            del self._twins[end]
            self._events.unregister(end)
            self._clients.discard(end)
            with suppress(OSError):
                end.close()

    def _close_all(self):
        while self._twins:
            self._close(next(iter(self._twins)))
