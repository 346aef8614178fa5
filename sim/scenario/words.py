"""The nearest word, for messages about one that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_MOST = 25
_LONGEST = 80


def nearest(word: object, allowed: Iterable[str], what: str = "allowed") -> str:
    """`; did you mean 'weight'? (allowed: count, weight)`, with as much of it as there is to say."""
    words = list(dict.fromkeys(allowed))
    if not words:
        return ""
    near = get_close_matches(str(word)[:_LONGEST], words[:5_000], n=1, cutoff=0.6)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    rest = f", and {len(words) - _MOST} more" if len(words) > _MOST else ""
    return f"{hint} ({what}: {', '.join(words[:_MOST])}{rest})"
