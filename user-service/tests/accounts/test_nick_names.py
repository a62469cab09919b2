import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import RequestInvalid
from user_service.accounts.nick_names import checked_nick_name, draw_nick_name, spelled_nick_name


def refusal(text):
    with pytest.raises(RequestInvalid) as caught:
        checked_nick_name(text)
    (error,) = caught.value.errors
    return error.field, error.code


@pytest.mark.parametrize(
    "text",
    [
        "李雷",
        "Alice 1984",
        "用户abcd",
        "🌸 花",
        "O'Neil",
        "x" * 32,
        "नमस्ते",
        "สวัสดี",
        "⠓⠊",
        "\U00030000",  # CJK extension G, of Unicode 13
        "李\U00031350",  # CJK extension H, of Unicode 15
        "\U0002ebf0",  # CJK extension I, of Unicode 15.1
        "\U000323b0",  # CJK extension J, of Unicode 17
        "🫨",  # Unicode 15
        "\U0001fae9",  # Unicode 16
        "\U0001fffd",  # of no Unicode yet
    ],
)
def test_usual_names_pass_as_they_are(text):
    assert checked_nick_name(text) == text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "length"),
        ("   ", "length"),
        ("x" * 33, "length"),
        ("\u3164", "length"),
        ("\u2800", "length"),
        ("\u115f\u1160\u200b\ufe0f", "length"),
        ("\U000e0041", "length"),
        ("a\x00b", "characters"),
        ("a\x7fb", "characters"),
        ("\u0301", "characters"),
        ("\u20dd \u0489", "characters"),
        ("a\ue000", "characters"),
        ("a\U000f0000", "characters"),
        ("a\ud800", "characters"),
        ("a\ufdd0", "characters"),
        ("a\uffff", "characters"),
        ("a\U0002fffe", "characters"),
        ("a\U00040000", "characters"),
        ("a\ufffc", "characters"),
        ("\U0001d159", "characters"),
        ("\U00013441", "characters"),
        ("tel 1380013", "looks_like_mobile"),
        ("138.0013.8000", "looks_like_mobile"),
        ("138\u20110013\u20118000", "looks_like_mobile"),
        ("138·0013·8000", "looks_like_mobile"),
        ("1\u200b380013", "looks_like_mobile"),
        ("１３８００１３８０００", "looks_like_mobile"),
        ("①③⑧⓪⓪①③⑧⓪⓪⓪", "looks_like_mobile"),
    ],
    ids=ascii,
)
def test_other_names_are_refused(text, code):
    assert refusal(text) == ("nick_name", code)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a\u202eb", "ab"),
        ("\u2068李雷\u2069", "李雷"),
        ("李\u200b雷\ufeff", "李雷"),
        ("李\u3000\u2800 雷", "李 雷"),
        ("Ａｂ", "Ab"),
        ("a\u034f\u0301", "á"),
        ("❤️", "❤"),
    ],
)
def test_a_name_has_one_spelling(text, name):
    assert checked_nick_name(text) == name


INVISIBLE = st.sampled_from(
    [0xAD, 0x34F, 0x115F, 0x180E, 0x200B, 0x200D, 0x202E, 0x2060, 0x2069, 0x3164, 0xFE0F, 0xE0061]
)


@given(st.text(), st.lists(st.tuples(st.integers(0, 40), INVISIBLE), max_size=5))
def test_no_invisible_character_makes_a_new_name(text, additions):
    disguised = text
    for place, code in additions:
        disguised = disguised[:place] + chr(code) + disguised[place:]
    assert spelled_nick_name(disguised) == spelled_nick_name(text)


@given(st.text())
def test_the_one_spelling_is_kept(text):
    assert spelled_nick_name(spelled_nick_name(text)) == spelled_nick_name(text)


def test_drawn_names_grow_after_collisions_and_pass_the_check():
    names = [draw_nick_name(attempt) for attempt in range(3)]
    assert [len(name) for name in names] == [6, 7, 8]
    assert [checked_nick_name(name) for name in names] == names
