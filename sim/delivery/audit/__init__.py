"""Audits: what came of a stream against what happened, fact by fact, and which differences the ledger explains.

Facts are told by their ids, and what they say by a digest of all their columns. Of many facts most are on disk, in
heaps that are compared one after the other: memory does not grow with them.

heaps     rows of numbers, on disk where they are many
gathered  what is kept of the facts of a stream, and their aggregates by window
findings  kinds of differences, and which faults explain them
parts     facts by their ids: lost, unknown, duplicated, changed, oversize
order     facts by their keys: out of order, beyond the bound
trial     all of it
"""

from __future__ import annotations

from sim.delivery.audit.findings import BROKEN, FAINT, LARGE, Audit, Finding
from sim.delivery.audit.gathered import Gathered, injections
from sim.delivery.audit.trial import Evidence, audit

__all__ = ["BROKEN", "FAINT", "LARGE", "Audit", "Evidence", "Finding", "Gathered", "audit", "injections"]
