"""Names for the array types that the mathematics passes around."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.int64]
"""Instants (microseconds since the epoch, UTC) or lengths of time (microseconds)."""

Floats = npt.NDArray[np.float64]

Bools = npt.NDArray[np.bool_]

Elapsed = Times | Floats
"""Microseconds since something; whole or not."""
