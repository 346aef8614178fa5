"""A page: sections of tiles, tables, charts and text, written as one HTML file that needs nothing else.

The file works offline and without scripts, in light and dark (the reader's system decides, a switch overrules it), on
narrow screens and on paper. Whatever comes from data is escaped.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from sim.pages.library import jinja2
from sim.pages.sections import Cell, Picture, Section, Tile
from sim.pages.values import shown

__all__ = ["Cell", "Page", "Section", "Tile", "shown"]

Watch = Callable[[int, int], None]


class Page:
    """A page with a title, a line under it, what it is about by name (`about`), and sections."""

    def __init__(self, title: str, subtitle: str = "", about: Mapping[str, str] | None = None) -> None:
        self.title = title
        self.subtitle = subtitle
        self.about = dict(about or {})
        self.sections: list[Section] = []

    def section(self, title: str, text: str = "") -> Section:
        """A new section at the end, with an entry in the table of contents."""
        made = Section(title, text)
        self.sections.append(made)
        return made

    def charts(self) -> Iterator[Picture]:
        """Every chart of the page, in order."""
        for section in self.sections:
            yield from section.charts()

    def html(self, watch: Watch | None = None) -> str:
        """The whole page as text; `watch` is told how many charts are drawn, and of how many."""
        total, done = sum(1 for _ in self.charts()), iter(range(1, 1 << 30))

        def draw(chart: Picture, theme: str) -> str:
            if watch and theme == "dark":
                watch(next(done), total)
            return chart.svg(theme)

        return _template().render(page=self, names=_names(self.sections), draw=draw)

    def write(self, path: str | Path, watch: Watch | None = None) -> None:
        """Write the page; a file of that name is replaced when all is done, and not before."""
        target, text = Path(path), self.html(watch)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(draft, 0o666 & ~_umask())
            os.replace(draft, target)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise


def _names(sections: Sequence[Section]) -> list[str]:
    """Anchors, one a section, that no other section has."""
    names: list[str] = []
    for section in sections:
        slug = re.sub(r"[^a-z0-9]+", "-", section.title.lower()).strip("-") or "section"
        names.append(slug if slug not in names else f"{slug}-{len(names)}")
    return names


def _template() -> jinja2.Template:
    folder = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["shown"] = shown
    environment.globals["style"] = (folder / "style.css").read_text(encoding="utf-8")
    return environment.get_template("page.html.j2")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
