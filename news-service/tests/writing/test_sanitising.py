"""What becomes of HTML that we do not trust."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from news_service.writing.sanitising import clean_html

PIECES = [
    "<",
    ">",
    '"',
    "'",
    "=",
    "/",
    "img",
    "script",
    " src",
    " alt",
    "x",
    "&lt;",
    "&quot;",
    "javascript:",
    " onerror",
    "<p>",
    "<math>",
    "</svg>",
    "<style>",
    "<template>",
    "<textarea>",
    "<!--",
]


@pytest.mark.parametrize(
    ("untrusted", "safe"),
    [
        ("<p>文<b>字</b></p>", "<p>文<b>字</b></p>"),
        ("<p>恭喜</p><script>alert(1)</script><style>p{}</style>", "<p>恭喜</p>"),
        ('<p style="color:red" class="x" id="y" onclick="z()">a</p>', "<p>a</p>"),
        ('<a href="javascript:alert(1)">a</a>', '<a rel="noopener noreferrer nofollow">a</a>'),
        (
            '<a href="https://example.com/">a</a>',
            '<a href="https://example.com/" rel="noopener noreferrer nofollow">a</a>',
        ),
        ('<img src="x" onerror="alert(1)">', ""),
        ('<img src="http://img.example.com/1.jpg" alt="港口 &lt;b&gt;">', "港口 &lt;b&gt;"),
        ('<img src="//evil.example/1.jpg">', ""),
        ('<img src="/images/../admin">', ""),
        ('<img src="/images/a1.webp" alt="港口">', '<img src="/images/a1.webp" alt="港口">'),
        ('<img src="data:image/png;base64,AAAA" alt="">', ""),
        ("<h1 class=x>题</h1>", "<h2>题</h2>"),
        ("<iframe src=/></iframe><font>留下</font><!-- 注 -->", "留下"),
        ("<p>没有结尾", "<p>没有结尾</p>"),
        ('<img alt="><script>alert(1)</script>">', "&gt;&lt;script&gt;alert(1)&lt;/script&gt;"),
        (
            "<table><tr><td colspan=2 style=x>1</td></tr></table>",
            '<table><tbody><tr><td colspan="2">1</td></tr></tbody></table>',
        ),
    ],
)
def test_only_what_is_listed_stays(untrusted: str, safe: str) -> None:
    assert clean_html(untrusted) == safe


@pytest.mark.parametrize(
    ("untrusted", "safe"),
    [
        (
            '<a href="/x" title="t" hreflang="zh" target="_blank" name="n">a</a>',
            '<a href="/x" title="t" rel="noopener noreferrer nofollow">a</a>',
        ),
        (
            '<img src="/images/a.webp" alt="a" width="1" height="2" align="left" srcset="/b 2x" loading="lazy">',
            '<img src="/images/a.webp" alt="a" width="1" height="2">',
        ),
        ('<ol start="3" reversed type="a"><li value="9">1</li></ol>', '<ol start="3"><li>1</li></ol>'),
        (
            '<table border="1"><tbody align="left"><tr align="left">'
            '<th colspan="2" rowspan="3" scope="row" abbr="x">1</th>'
            '<td colspan="2" rowspan="3" scope="row" headers="h">2</td></tr></tbody></table>',
            '<table><tbody><tr><th colspan="2" rowspan="3" scope="row">1</th>'
            '<td colspan="2" rowspan="3">2</td></tr></tbody></table>',
        ),
        (
            '<blockquote cite="/c"><del datetime="2020" cite="/d">a</del></blockquote>',
            "<blockquote><del>a</del></blockquote>",
        ),
    ],
    ids=["a", "img", "ol", "table", "others"],
)
def test_of_each_tag_only_the_listed_attributes_stay(untrusted: str, safe: str) -> None:
    assert clean_html(untrusted) == safe


@pytest.mark.parametrize("address", ["ftp://example.com/", "tel:10086", "data:text/html,x", "JavaScript:alert(1)"])
def test_a_link_of_another_scheme_leads_nowhere(address: str) -> None:
    assert clean_html(f'<a href="{address}">a</a>') == '<a rel="noopener noreferrer nofollow">a</a>'


@pytest.mark.parametrize("address", ["http://example.com/", "https://example.com/", "mailto:a@example.com"])
def test_a_link_of_a_listed_scheme_stays(address: str) -> None:
    assert f'href="{address}"' in clean_html(f'<a href="{address}">a</a>')


@pytest.mark.parametrize(
    "address", ["/images/a.webp?next=//evil.example/", "/images/a.webp\n", "/images/a b", "/images/", "x/images/a.webp"]
)
def test_the_address_of_an_image_is_judged_as_a_whole(address: str) -> None:
    assert clean_html(f'<img src="{address}" alt="港口">') == "港口"


@pytest.mark.parametrize(
    ("untrusted", "safe"),
    [
        ("<p>当 <math><mi>x</mi><mo>=</mo><mn>2</mn></math> 时</p>", "<p>当 x=2 时</p>"),
        ("<p><MATH display='block'><mtext>利润</mtext></MATH>。</p>", "<p>利润。</p>"),
        (
            "<math><semantics><mi>x</mi><annotation encoding='application/x-tex'>x</annotation></semantics></math>后",
            "x后",
        ),
        ("<svg viewBox='0 0 9 9'><g><text>图中的字</text></g><path d='M0 0'/></svg>后", "图中的字后"),
        ("<svg><style>t{}</style><script>alert(1)</script><text>字</text></svg>", "字"),
        ("<svg><foreignObject><p>段</p></foreignObject></svg>", "<p>段</p>"),
        ("<wx-card>名<unknown>片</unknown></wx-card>", "名片"),
        ("<o:p>字</o:p>", "字"),
        ("<details><summary>题</summary>文</details>", "<div><div>题</div>文</div>"),
        ("<section style='x'>一</section><section>二</section>", "<div>一</div><div>二</div>"),
        ("<noscript><p>段</p></noscript>", "<p>段</p>"),
        ("<template><p>段</p></template>", "<p>段</p>"),
        ("<textarea><b>字</b></textarea>", "<b>字</b>"),
        ("<iframe><p>段</p></iframe>", "<p>段</p>"),
        ("<ruby>汉<rt>hàn</rt></ruby><font color=red>红</font><video src=x>片</video>", "汉hàn红片"),
        ("<tr><td>格</td></tr>", "格"),
        ("<table><colgroup><col></colgroup><tr><td>格</td></tr></table>",
         "<table><tbody><tr><td>格</td></tr></tbody></table>"),
        ("<mathematics>字</mathematics><svgs>字</svgs>", "字字"),
    ],
)  # fmt: skip
def test_an_unknown_element_leaves_its_text_behind(untrusted: str, safe: str) -> None:
    assert clean_html(untrusted) == safe


NAMES = st.sampled_from(["math", "mi", "svg", "text", "title", "section", "noscript", "template", "textarea", "select"])
NAMES |= st.sampled_from(["iframe", "xmp", "object", "button", "x-card", "details", "video", "foreignObject", "desc"])


@given(st.lists(NAMES, max_size=6))
def test_a_text_survives_in_every_nesting_of_unknown_elements(names: list[str]) -> None:
    opened = "".join(f"<{name} x='1'>" for name in names)
    closed = "".join(f"</{name}>" for name in reversed(names))
    assert "正文" in clean_html(f"{opened}正文{closed}")


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_nothing_dangerous_survives_and_cleaning_twice_changes_nothing(untrusted: str) -> None:
    once = clean_html(untrusted)
    assert clean_html(once) == once
    assert "<script" not in once
    assert "<img" not in once
