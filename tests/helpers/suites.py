"""The two suites: how much of each property and each sweep they test. See conftest.py."""

from __future__ import annotations

from hypothesis import settings

FULL = 100  # examples of a property in the thorough suite, if it states no number
QUICK = 8  # examples of the same property in the quick suite
FEWEST = 4

# No deadlines: no test asserts on time, in this way either.
settings.register_profile("quick", deadline=None, max_examples=QUICK)
settings.register_profile("thorough", deadline=None, max_examples=FULL)


def examples(number: int) -> int:
    """Return how many examples this suite tests of a property that has `number` of them in full."""
    share = number * settings().max_examples // FULL
    return max(share, min(number, FEWEST))
