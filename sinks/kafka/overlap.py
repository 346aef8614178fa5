"""Work on one thread while another goes on with what is done already."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(work: Callable[[Item], Result], items: Iterable[Item], executor: Executor, most: int = 1) -> Iterator[Result]:
    """What `work` makes of each of `items`, in order: made by `executor`, up to `most` ahead of whoever takes them.

    What `work` raises comes out in the place of its result; items behind it may have been worked on by then.
    """
    under_way: deque[Future[Result]] = deque()
    for item in items:
        under_way.append(executor.submit(work, item))
        if len(under_way) > most:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()
