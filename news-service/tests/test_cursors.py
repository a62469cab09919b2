"""What a cursor carries, and which texts are none."""

import base64

import pytest

from chassis.errors import RequestInvalid
from news_service.articles.listings import ListName
from news_service.cursors import Position, read_cursor, write_cursor

NEWEST = ListName("newest", category_id=3)
CURSOR = write_cursor(NEWEST, Position(1_700_000_000_000_000, 42))
HIGHEST = 162 * 10**15


@pytest.mark.parametrize("position", [Position(0, 0), Position(1_700_000_000_000_000, 42), Position(HIGHEST, HIGHEST)])
def test_a_cursor_gives_its_position_back(position: Position) -> None:
    assert read_cursor(write_cursor(NEWEST, position), NEWEST) == position


@pytest.mark.parametrize("foreign", ["!", " ", "\n", "*", "é", "."])
@pytest.mark.parametrize("place", [0, 8, len(CURSOR)])
def test_a_cursor_with_a_foreign_character_is_refused(foreign: str, place: int) -> None:
    with pytest.raises(RequestInvalid):
        read_cursor(CURSOR[:place] + foreign * 4 + CURSOR[place:], NEWEST)


@pytest.mark.parametrize(
    "position", ["-1,1", "1,-1", f"{HIGHEST + 1},1", f"1,{HIGHEST + 1}", "1.0,1", "1,true", '"1",1']
)
def test_a_position_that_no_article_can_have_is_refused(position: str) -> None:
    cursor = base64.urlsafe_b64encode(f'["newest",3,null,{position}]'.encode()).decode().rstrip("=")
    with pytest.raises(RequestInvalid):
        read_cursor(cursor, NEWEST)


@pytest.mark.parametrize(
    "other", [ListName("hot", 3), ListName("newest"), ListName("newest", 3, 1), ListName("newest", 4)]
)
def test_a_cursor_belongs_to_one_list(other: ListName) -> None:
    with pytest.raises(RequestInvalid):
        read_cursor(CURSOR, other)
