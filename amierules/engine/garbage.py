"""Looking for garbage less often: a packet's pass leaves hardly any that counting references does not free."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_BETWEEN = 20_000
"""So many more objects than were freed lead to a search of the youngest: those of some ten packets."""


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Within it, Python leaves alone what is there already (rules, schemas, modules), and searches the rest seldom."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_BETWEEN, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
