"""Makes HTML safe; every article is cleaned here when it is written or imported.

nh3 (ammonia) applies an allow-list. ``style``, ``class`` and ``id`` are not on it: the pages' content policy blocks
inline styles, and with classes or ids an article could look like a part of the site. Images may only come from our own
paths, because the policy blocks all others; another image becomes its alternative text, or nothing.
"""

import html
import re
from collections.abc import Callable

import nh3

OWN_IMAGES = re.compile(r"/(?:images|static)/[A-Za-z0-9._/-]+")
_TAGS = {
    *("p", "br", "hr", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "ul", "ol", "li", "dl", "dt", "dd"),
    *("strong", "b", "em", "i", "u", "s", "del", "ins", "sub", "sup", "small", "mark", "span", "div", "a", "img"),
    *("figure", "figcaption", "table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"),
}
# Beside `lang` and `title`, which nh3 lets every tag have.
_ATTRIBUTES = {
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
}
# No browser shows them: programs, styles, and what a formula means, said once more in another language.
_NEVER_SHOWN = {"script", "style", "annotation", "annotation-xml"}
# Without a block of its own, each would run into the text after it.
_BLOCKS = {"article", "section", "header", "footer", "main", "aside", "nav", "address", "hgroup", "center", "dialog"}
_BLOCKS |= {"details", "summary", "form", "fieldset", "legend"}
_KEPT = _TAGS | _NEVER_SHOWN | {"col", "colgroup"}  # A parser puts rows elsewhere without the last two.
_RENAMED = {name: name for name in _KEPT} | dict.fromkeys(_BLOCKS, "div") | {"h1": "h2"}
_TAG_NAME = re.compile(r"<(/?)([A-Za-z][^\s/<>]*)(?=[\s/>])")
# As nh3 writes them: attributes in double quotes, in which any < or > may stand.
_IMAGE = re.compile(r'<img((?: [a-z]+="[^"]*")*)>')
_ALTERNATIVE = re.compile(r' alt="([^"]*)"')


ImageSource = Callable[[str], str | None]
"""Says under which address the picture of an address is shown, or None: it is not. An address that it gives stays."""


def own_image(address: str) -> str | None:
    """Return an address of our own paths as it is, and None for any other."""
    return address if OWN_IMAGES.fullmatch(address) and ".." not in address else None


def clean_html(untrusted: str, image_source: ImageSource = own_image) -> str:
    """Return the HTML with everything removed that is not on the list; cleaning twice changes nothing.

    Scripts and styles are removed with their content, other unknown elements leave theirs behind, formulas and drawings
    too. A first-level heading becomes one of the second level, because the page's title is the first.
    """
    # nh3 takes elements of MathML and SVG away with their content, and a parser reads what is in <textarea> as text.
    # Under a name that HTML does not know, each leaves behind what it holds.
    renamed = _TAG_NAME.sub(lambda tag: f"<{tag[1]}{_RENAMED.get(tag[2].lower(), 'x-x')}", untrusted)
    # nh3 comes last: it cleans what the replacements have made, too.
    return _clean(_IMAGE.sub(_shown_or_alternative, _clean(renamed, image_source)), image_source)


def _clean(untrusted: str, image_source: ImageSource) -> str:
    def attribute_filter(tag: str, attribute: str, value: str) -> str | None:
        return image_source(value) if tag == "img" and attribute == "src" else value

    return nh3.clean(
        untrusted,
        tags=_TAGS,
        clean_content_tags=_NEVER_SHOWN,
        attributes=_ATTRIBUTES,
        attribute_filter=attribute_filter,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )


def _shown_or_alternative(image: re.Match[str]) -> str:
    if ' src="' in image[1]:
        return image[0]
    alternative = _ALTERNATIVE.search(image[1])
    return html.escape(html.unescape(alternative[1])) if alternative else ""
