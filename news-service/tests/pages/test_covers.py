import pytest

from news_service.pages.covers import draw_cover


@pytest.mark.parametrize("name", ["股市", "债市", "商品", "外汇", "公司", "天气", None])
def test_an_article_has_always_the_same_cover_of_its_own(name: str | None) -> None:
    assert draw_cover(1, name) == draw_cover(1, name)
    assert draw_cover(1, name) != draw_cover(2, name)
