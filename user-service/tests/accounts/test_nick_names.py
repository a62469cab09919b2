import pytest

from chassis.errors import RequestInvalid
from user_service.accounts.nick_names import checked_nick_name, draw_nick_name


@pytest.mark.parametrize("text", ["李雷", "Alice 1984", "用户abcd", "🌸 花", "O'Neil", "x" * 32])
def test_usual_names_pass_as_they_are(text):
    assert checked_nick_name(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "x" * 33,
        "a\u202eb",
        "a\x00b",
        "tel 1380013",
        "138.0013.8000",
        "１３８００１３８０００",
        "①③⑧⓪⓪①③⑧⓪⓪⓪",
    ],
)
def test_other_names_are_refused(text):
    with pytest.raises(RequestInvalid) as caught:
        checked_nick_name(text)
    assert [error.field for error in caught.value.errors] == ["nick_name"]


def test_drawn_names_grow_after_collisions_and_pass_the_check():
    names = [draw_nick_name(attempt) for attempt in range(3)]
    assert [len(name) for name in names] == [6, 7, 8]
    assert [checked_nick_name(name) for name in names] == names
