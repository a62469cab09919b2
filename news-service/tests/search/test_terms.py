"""Words, terms and queries of the search."""

import pytest

from chassis.errors import RequestInvalid
from news_service.search.terms import index_terms, index_text, read_query, search_terms, text_of_html


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("芯片", ["u82af7247"]),
        ("上海房地产ＡＢ", ["u4e0a6d77", "u6d77623f", "u623f5730", "u57304ea7", "ab"]),
        ("𠀀𠀁", ["u2000020001"]),
        ("涨", ["u6da8"]),
        ("A股，5月", ["a", "u80a1", "5", "u6708"]),
        ("snake_case C919", ["snake", "case", "c919"]),
        ("芯\u200b片", ["u82af7247"]),
        ("——！ ", []),
    ],
)
def test_the_terms_of_a_text(text: str, terms: list[str]) -> None:
    assert search_terms(text) == terms


def test_tags_are_no_text_and_only_those_of_a_line_end_a_word() -> None:
    assert text_of_html('<p>中<b>国</b>银<a href="/?a>b">行</a></p><p>股&amp;债</p>').split() == ["中国银行", "股&债"]


def test_the_title_is_kept_apart_from_the_text() -> None:
    assert index_text("芯片，A股", "The 涨 100%") == " 芯片 a 股 | the 涨 100 "
    assert index_text("", "") == " | "


def test_an_index_row_has_each_term_once_and_the_characters_of_the_title() -> None:
    terms = index_terms(index_text("芯片a", "芯片 the"))
    assert terms == ["c7247", "c82af", "u82af7247", "w0a", "w0the"]


def test_a_long_text_is_cut() -> None:
    assert len(index_text("芯片", "上海房地产" * 10_000)) == 16_001


@pytest.mark.parametrize(
    ("typed", "patterns", "terms"),
    [
        ("房地产", ["%房地产%"], ["u57304ea7", "u623f5730"]),
        ("芯片 芯片 AB", ["%芯片%", "% ab %"], ["u82af7247", "w0ab"]),
        ("A股", ["% a 股%"], ["w0a"]),
        ("第5届", ["%第 5 届%"], ["w05"]),
        ("股", ["%股%|%"], ["c80a1"]),
        ("股、债", ["%股%|%", "%债%|%"], ["c503a", "c80a1"]),
        ("3.5%|_", ["% 3 5 %"], ["w03", "w05"]),
    ],
)
def test_a_query_becomes_patterns_and_terms(typed: str, patterns: list[str], terms: list[str]) -> None:
    query = read_query(typed)
    assert ([word.pattern for word in query.words], query.terms) == (patterns, terms)


@pytest.mark.parametrize(
    ("typed", "code"), [("", "query_empty"), ("？！ %_", "query_empty"), ("a b c d e f g h i", "query_too_long")]
)
def test_a_query_without_words_or_with_too_many_is_refused(typed: str, code: str) -> None:
    with pytest.raises(RequestInvalid) as refused:
        read_query(typed)
    assert [(each.field, each.code) for each in refused.value.errors] == [("q", code)]
