"""The estimate: which parts it sees, and what it makes of what lies between them."""

from user_service.passwords.common_passwords import load_common_passwords
from user_service.passwords.guesses import Guesses

GUESSES = Guesses(load_common_passwords())
HARD = "7xq0vz9kw4"
LONG = "".join(map(chr, range(33, 127)))[::7] * 2 + HARD * 9


def cost(password):
    return GUESSES.estimate(password).cost


def test_random_characters_multiply():
    estimate = GUESSES.estimate("7xq0vz9k")
    assert (estimate.kind, round(estimate.cost)) == ("random", 12)


def test_a_word_costs_its_rank_and_little_more_in_every_disguise():
    disguises = ["Password", "PASSWORD", "passwor d", "p@ssw0rd", "drowssap", "p.a.s.s.w.o.r.d", "раssword"]
    assert cost("password") == cost("pàsswörd") == 1.0
    assert all(cost("password") < cost(disguise) < 4 for disguise in disguises)


def test_each_further_part_costs_more():
    assert cost("woaini") < cost("woaini77") < cost("woaini77!") < cost("woaini77!kiwi") < cost("woaini77!kiwi7q")


def test_a_repeated_piece_costs_little_more_than_one():
    assert cost("7xq0v7xq0v7xq0v") - cost("7xq0v") < 0.5
    assert GUESSES.estimate("7xq0" * 32).kind == "repeated"
    assert GUESSES.estimate("k7xq0v7xq0v").kind == "repeated"


def test_what_is_written_by_turns_is_read_by_turns():
    assert GUESSES.estimate("a1b2c3d4e5").kind == "keyboard"
    assert cost("a1b2c3d4e5") < 4 < cost("a7b0c4d8e1")


def test_capitals_in_the_middle_cost_more_than_at_the_start():
    assert cost("Qxvzkwpj") - cost("qxvzkwpj") < 0.5
    assert cost("qXvzKwPj") - cost("qxvzkwpj") > 1.5


def test_a_long_password_is_as_hard_as_its_hardest_window():
    assert min(map(cost, ["a" * 90 + HARD, HARD + "a" * 90, "a" * 45 + HARD + "b" * 45])) > 10


class CountingWords:
    """Knows no word, and counts how often it is asked."""

    def __init__(self):
        self.asked = 0

    def words_at(self, text, start):
        self.asked += 1
        return iter(())


def test_the_time_grows_with_the_length_alone():
    short, long = CountingWords(), CountingWords()
    Guesses(short).estimate("1a4s0e3w5d" * 3 + "1x")
    Guesses(long).estimate("1a4s0e3w5d" * 12 + "7654321x")
    assert long.asked < 6 * short.asked


def test_a_window_that_costs_enough_is_the_last_one():
    one, every = CountingWords(), CountingWords()
    Guesses(one).estimate(LONG, enough=6.5)
    Guesses(every).estimate(LONG)
    assert one.asked < every.asked
