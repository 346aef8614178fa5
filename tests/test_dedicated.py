from __future__ import annotations

import gc

import pytest

from sim.delivery.dedicated import dedicated


def test_what_is_there_is_left_out_of_collections_for_as_long_as_a_run_takes():
    with dedicated():
        assert gc.get_freeze_count() > 1000
    assert gc.get_freeze_count() == 0


def test_a_run_that_fails_gives_back_what_it_froze():
    with pytest.raises(OSError, match="full"), dedicated():
        raise OSError("full")
    assert gc.get_freeze_count() == 0
