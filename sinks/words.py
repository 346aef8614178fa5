"""Wording of errors: the nearest allowed word, and lists of words."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, allowed: Iterable[str]) -> str:
    """A hint for a word that is not allowed: `; did you mean 'x'? (allowed: x, y)`, empty where nothing is allowed.

    Long lists of allowed words are left out, so that the hint stays one line.
    """
    words = sorted(allowed)
    close = get_close_matches(word, words, n=1, cutoff=0.5)
    guess = f"; did you mean {close[0]!r}?" if close else ""
    if not words or len(words) > 20:
        return guess
    return f"{guess} (allowed: {', '.join(words)})" if guess else f"; allowed: {', '.join(words)}"
