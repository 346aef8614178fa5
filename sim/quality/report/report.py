"""The report: sections in the order in which somebody who does not know the data wants to see them."""

from __future__ import annotations

from collections.abc import Callable

from sim.pages.page import Page
from sim.quality.dataset import Dataset
from sim.quality.declared import Declared
from sim.quality.report.attributes import attributes
from sim.quality.report.attribution import attribution
from sim.quality.report.cohorts import cohorts
from sim.quality.report.dictionary import dictionary, relations
from sim.quality.report.funnels import funnels
from sim.quality.report.growth import growth
from sim.quality.report.incidents import incidents
from sim.quality.report.overview import overview
from sim.quality.report.queues import queues
from sim.quality.report.rhythm import rhythm
from sim.quality.report.segments import segments
from sim.quality.report.states import states
from sim.quality.report.survival import survival
from sim.quality.report.view import View
from sim.quality.report.volume import volume

Watch = Callable[[str, int, int], None]
"""Told what is being looked at, how many sections are done, and of how many."""

SECTIONS: dict[str, Callable[[Page, View], None]] = {
    "overview": overview,
    "volume": volume,
    "incidents": incidents,
    "rhythm": rhythm,
    "growth": growth,
    "cohorts": cohorts,
    "segments": segments,
    "states": states,
    "survival": survival,
    "processes": funnels,
    "attribution": attribution,
    "resources": queues,
    "distributions": attributes,
    "relations": relations,
    "dictionary": dictionary,
}


def report(data: Dataset, declared: Declared | None = None, watch: Watch | None = None) -> Page:
    """A page about the data set; the scenario, where it is known, tells segments, words and the time zone.

    Everything is computed by the data set's own database; what comes here are sums and bins.
    """
    view = View(data, declared, str(declared.scenario.timezone) if declared else "UTC")
    page = Page(_title(data, declared), _subtitle(declared), _about(view))
    for done, (name, section) in enumerate(SECTIONS.items()):
        if watch:
            watch(name, done, len(SECTIONS))
        section(page, view)
    page.sections = [section for section in page.sections if section.blocks]
    return page


def _title(data: Dataset, declared: Declared | None) -> str:
    known = declared.model.name if declared else data.manifest.scenario if data.manifest else ""
    return known or data.url.rstrip("/").rsplit("/", 1)[-1].removeprefix("parquet:").removeprefix("csv:")


def _subtitle(declared: Declared | None) -> str:
    return declared.scenario.description or "" if declared else ""


def _about(view: View) -> dict[str, str]:
    manifest = view.data.manifest
    told = {"data": view.data.url}
    if manifest is not None:
        told |= {"seed": str(manifest.seed), "digest": manifest.digest[:12]}
        told |= {} if manifest.whole else {"state": "not complete"}
    return told | {"civil time": view.zone}
