"""Sets of ids behave as Python's, in a fraction of its memory."""

import sys

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.dumps.id_sets import IdSet

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
IDS = st.integers(min_value=-(2**31), max_value=2**31 - 1) | st.integers(min_value=-9000, max_value=9000)


@UNHURRIED
@given(st.lists(st.tuples(st.booleans(), IDS)))
def test_it_holds_what_was_added_and_not_removed(changes: list[tuple[bool, int]]) -> None:
    ours, theirs = IdSet(), set[int]()
    for is_added, number in changes:
        (ours.add if is_added else ours.discard)(number)
        (theirs.add if is_added else theirs.discard)(number)
    assert list(ours) == sorted(theirs)
    assert len(ours) == len(theirs)
    assert [number in ours for _, number in changes] == [number in theirs for _, number in changes]


def test_what_is_no_id_is_not_in_it() -> None:
    ids = IdSet()
    ids.add(0)
    assert [each in ids for each in (0, None, "0")] == [True, False, False]


def test_a_hundred_thousand_ids_take_a_few_kilobytes() -> None:
    ids = IdSet()
    for number in range(100_000):
        ids.add(number)
    assert sum(map(sys.getsizeof, ids._pages.values())) < 100_000 / 4
