"""What facts make of the attributes of entities."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from sim.attributes.expressions import Program


@dataclass(frozen=True, slots=True)
class Setting:
    """Facts set the attribute `attribute` of `kind`, the fact's entity or its ancestor `generation` generations up.

    `value` is worked out for each fact, and becomes the attribute's `type`. Of a process, only facts of the step with
    the code `step` do so; -1 is for facts that have no steps.
    """

    kind: str
    generation: int
    attribute: str
    value: Program
    type: pa.DataType
    step: int = -1

    @property
    def key(self) -> str:
        """The attribute as its readers call it: `customer.plan`."""
        return f"{self.kind}.{self.attribute}"
