"""Hearing of deliveries at once: a thread that asks the client for them, whatever others are doing."""

from __future__ import annotations

import threading

from confluent_kafka import Producer

_WAIT = 0.05


class Prompter:
    """Runs from the beginning until it is stopped; the client's callbacks are called on its thread, too."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="datagen-deliveries", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        # Waiting happens in the client, without the interpreter's lock, and ends with the first delivery.
        while not self._over.is_set():
            self._producer.poll(_WAIT)
