import time
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attest.policy.slots import fill


def brute_force(wanted: list[int], eligible: list[int], principals: int) -> int:
    """The most slots that can be filled, by trying every way to give each principal a line."""
    best = 0
    for given_to in product(range(-1, len(wanted)), repeat=principals):
        counts = [given_to.count(line) for line in range(len(wanted))]
        allowed = all(
            line == -1 or eligible[line] >> principal & 1 for principal, line in enumerate(given_to)
        )
        if allowed and all(count <= slots for count, slots in zip(counts, wanted, strict=True)):
            best = max(best, sum(counts))
    return best


LINES = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 31)), max_size=4)


@settings(deadline=None)
@given(LINES)
def test_as_many_slots_are_filled_as_can_be(lines: list[tuple[int, int]]) -> None:
    wanted, eligible = [slots for slots, _ in lines], [who for _, who in lines]
    filled = fill(wanted, eligible)
    assert sum(who.bit_count() for who in filled) == brute_force(wanted, eligible, 5)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2**12 - 1)), max_size=12))
def test_nobody_fills_two_slots_or_one_that_is_not_theirs(lines: list[tuple[int, int]]) -> None:
    wanted, eligible = [slots for slots, _ in lines], [who for _, who in lines]
    filled = fill(wanted, eligible)
    assert len(filled) == len(lines)
    for one, other in combinations(filled, 2):
        assert one & other == 0
    for who, slots, may in zip(filled, wanted, eligible, strict=True):
        assert who & ~may == 0
        assert who.bit_count() <= slots


@given(LINES, st.permutations(range(5)))
def test_how_full_each_line_is_does_not_depend_on_the_order_of_principals(
    lines: list[tuple[int, int]], order: list[int]
) -> None:
    def moved(who: int) -> int:
        return sum(1 << to for at, to in enumerate(order) if who >> at & 1)

    wanted = [slots for slots, _ in lines]
    first = fill(wanted, [who for _, who in lines])
    second = fill(wanted, [moved(who) for _, who in lines])
    assert [who.bit_count() for who in first] == [who.bit_count() for who in second]


def test_a_greedy_choice_is_taken_back() -> None:
    # Ana may fill both lines, Bo the first alone: whoever takes Ana for the first is stuck.
    assert fill([1, 1], [0b11, 0b01]) == (0b10, 0b01)


def test_a_chain_of_lines_moves_on_by_one() -> None:
    length = 30
    eligible = [0b11 << line for line in range(length)] + [1]
    filled = fill([1] * (length + 1), eligible)
    assert filled == (*(0b10 << line for line in range(length)), 1)


def test_earlier_lines_are_filled_first() -> None:
    assert fill([1, 1], [1, 1]) == (1, 0)
    assert fill([2, 1], [0b11, 0b11]) == (0b11, 0)


def test_a_line_is_filled_as_far_as_it_can_be() -> None:
    assert fill([3], [0b101]) == (0b101,)
    assert fill([10**12], [0b111]) == (0b111,)
    assert fill([1], [0]) == (0,)
    assert fill([], []) == ()


def _adversarial() -> list[tuple[list[int], list[int]]]:
    size, everybody = 64, 2**64 - 1
    staircase = [(1 << line + 1) - 1 for line in range(size)]
    return [
        ([1] * size, [everybody] * size),
        ([1] * size, staircase),
        ([1] * size, staircase[::-1]),
        ([1] * size, [0b11 << line for line in range(size - 1)] + [1]),
        ([1] * size, [everybody >> 1] * size),
        ([1] * size, [everybody] * 32 + [2**16 - 1] * 32),
        ([8] * 8, [everybody] * 4 + [2**8 - 1] * 4),
        ([64], [everybody]),
    ]


@pytest.mark.parametrize(("wanted", "eligible"), _adversarial())
def test_64_slots_and_64_principals_take_no_time(wanted: list[int], eligible: list[int]) -> None:
    begun = time.perf_counter()
    fill(wanted, eligible)
    assert time.perf_counter() - begun < 0.5  # the figure is 50 ms; the machine may be busy
