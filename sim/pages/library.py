"""The libraries behind pages; a missing one is an error that names the extra."""

from __future__ import annotations

from sim.errors import MissingExtra

try:
    import altair
    import jinja2
    import networkx
    import vl_convert
except ImportError:
    raise MissingExtra("report", "a page with charts") from None

__all__ = ["altair", "jinja2", "networkx", "vl_convert"]
