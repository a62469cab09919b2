import pytest

from gateway.routing.paths import PathIndex, canonical, do_overlap, specificity, template_problem

TEMPLATES = ("/a/b", "/a/{x}", "/a/b/{y}", "/a/{x}/c", "/a/**", "/a/b/**", "/a/{x}/c/**", "/", "/**", "/t/")
WINNERS = {
    "/a/b": "/a/b",
    "/a/z": "/a/{x}",
    "/a/b/c": "/a/b/{y}",
    "/a/z/c": "/a/{x}/c",
    "/a/b/c/d": "/a/b/**",
    "/a/z/c/d": "/a/{x}/c/**",
    "/a/z/y": "/a/**",
    "/a": "/a/**",
    "/a/": "/a/**",
    "/a/b/": "/a/b/**",
    "/": "/",
    "/t/": "/t/",
    "/t": "/**",
    "/z": "/**",
    "/ab": "/**",
}


@pytest.mark.parametrize(("path", "winner"), WINNERS.items())
def test_the_most_specific_template_wins_in_any_order(path: str, winner: str) -> None:
    for order in (TEMPLATES, TEMPLATES[::-1], sorted(TEMPLATES), sorted(TEMPLATES, key=len)):
        assert PathIndex({template: template for template in order}).find(path) == winner


@pytest.mark.parametrize(("path", "winner"), WINNERS.items())
def test_the_winner_is_the_first_by_specificity(path: str, winner: str) -> None:
    matching = [each for each in TEMPLATES if PathIndex({each: each}).find(path)]
    assert min(matching, key=specificity) == winner


def test_a_placeholder_stands_for_one_segment_that_is_not_empty() -> None:
    index = PathIndex({"/a/{x}": "found", "/a/{x}/b": "longer"})
    assert [index.find(path) for path in ("/a/1", "/a/1/b", "/a/", "/a//b", "/a/1/", "/a/1/b/c")] == [
        "found", "longer", None, None, None, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "template",
    [
        "a",
        "",
        "/a//b",
        "/a/../b",
        "/./a",
        "/a/%2e%2e",
        "/**/a",
        "/a**",
        "/a/b**",
        "/a/*",
        "/a/*.html",
        "/{x",
        "/{x}y",
        "/{}",
        "/{1}",
        "/a;b",
        "/a b",
        "/\u00e9",
        "/a?b",
        "/a#b",
        "/" + "a/" * 40,
    ],
)
def test_other_texts_are_no_templates(template: str) -> None:
    assert template_problem(template)


@pytest.mark.parametrize("template", [*TEMPLATES, "/a-b/_c.json", "/{x}/{y}/**", "/a:b/@c"])
def test_templates_are_texts_of_segments(template: str) -> None:
    assert template_problem(template) is None


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("/a", "/a", True),
        ("/a", "/b", False),
        ("/a", "/{x}", True),
        ("/{x}/b", "/a/{y}", True),
        ("/{x}/b", "/a/c", False),
        ("/a", "/a/b", False),
        ("/a", "/a/**", True),
        ("/a/**", "/a/b/c/{x}", True),
        ("/a/**", "/b/**", False),
        ("/**", "/", True),
        ("/a/", "/a/{x}", False),
    ],
)
def test_templates_overlap_if_a_path_can_belong_to_both(one: str, other: str, both: bool) -> None:
    assert do_overlap(one, other) is do_overlap(other, one) is both


def test_a_canonical_path_is_what_lenient_services_read() -> None:
    assert {canonical(path) for path in ("/a/b", "/A//b/", "/a;x=1/B;", "//a/b", "/a/;/b")} == {"/a/b"}
    assert canonical("/") == canonical("//") == "/"
