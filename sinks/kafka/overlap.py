"""Work on one thread while another goes on with what is done already."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from itertools import islice
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Ahead(Generic[Item, Result]):
    """What `work` makes of each of `items`, in order, to be iterated over once: made by `executor`, from now on, up to
    `most` of them ahead of whoever takes them.

    What `work` raises comes out in the place of its result; items behind it may have been worked on by then.
    """

    def __init__(
        self, work: Callable[[Item], Result], items: Iterable[Item], executor: Executor, most: int = 2
    ) -> None:
        self._work = work
        self._items = iter(items)
        self._executor = executor
        self._most = most
        self._under_way: deque[Future[Result]] = deque()
        self._fill()

    def __iter__(self) -> Iterator[Result]:
        while self._under_way:
            found = self._under_way.popleft().result()
            self._fill()
            yield found

    def _fill(self) -> None:
        for item in islice(self._items, self._most - len(self._under_way)):
            self._under_way.append(self._executor.submit(self._work, item))
