from xml.etree import ElementTree

import pytest

from news_service.pages.covers import cover_shapes, draw_cover


@pytest.mark.parametrize("name", ["股市", "债市", "商品", "外汇", "公司", "天气", None])
def test_an_article_has_always_the_same_cover_of_its_own(name: str | None) -> None:
    assert draw_cover(1, name) == draw_cover(1, name)
    assert draw_cover(1, name) != draw_cover(2, name)


@pytest.mark.parametrize("name", ["股市", "债市", "商品", "外汇", "公司", None])
def test_a_covers_markup_has_every_shape(name: str | None) -> None:
    motif, markup = cover_shapes(1, name)
    cover = draw_cover(1, name)
    shapes = list(ElementTree.fromstring(f"<svg>{markup}</svg>"))
    assert motif == cover.motif
    assert [(each.tag, each.attrib) for each in shapes] == [
        (shape.element, {"class": shape.tone} | shape.attributes) for shape in cover.shapes
    ]
