"""Pictures of a dump: those of a kept host are shown from there, all others are covered, and none is broken."""

from collections.abc import Callable

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from chassis.database import Database, utc_now
from chassis.dumps.report import ImportReport
from news_service.articles.tables import InfoNews
from news_service.imports.pictures import Pictures
from news_service.settings import Settings
from news_service.writing.tables import NewsImage

HOST = "img.example.com"
KEPT = Pictures(frozenset({HOST}))
SQL = (
    "INSERT INTO info_news (id, title, source, digest, content, index_image_url, status) VALUES "
    "(1, 't', 's', 'd', '<p><img src=\"http://img.example.com/a.jpg?imageView2/1/w/170\" alt=\"港口\"></p>', "
    "'http://img.example.com/1.jpg', 0), "
    "(2, 't', 's', 'd', '<p><img src=\"/static/news/images/a.jpg\" alt=\"码头\"></p>', '/static/news/1.jpg', 0), "
    "(3, 't', 's', 'd', '<p><img src=\"http://other.example.com/a.jpg\"></p>', 'FkPXlocalkey', 0);"
)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("http://img.example.com/a.jpg", "https://img.example.com/a.jpg"),
        ("https://IMG.example.com/a.jpg", "https://img.example.com/a.jpg"),
        ("//img.example.com/a.jpg", "https://img.example.com/a.jpg"),
        ("https://img.example.com/a.jpg?imageView2/1/w/170/h/170", "https://img.example.com/a.jpg?imageView2/1/w/170/h/170"),
        ("https://img.example.com", "https://img.example.com/"),
        ("https://img.example.com:8443/a.jpg", None),
        ("https://user@img.example.com/a.jpg", None),
        ("https://img.example.com.evil.example/a.jpg", None),
        ("https://sub.img.example.com/a.jpg", None),
        ("javascript://img.example.com/%0aalert(1)", None),
        ("data:image/png;base64,AAAA", None),
        ("https://img.example.com/a\"onerror=\"x", None),
        ("https://img.example.com/" + "a" * 300, None),
        ("https://[::1", None),
        ("/static/news/a.jpg", None),
        ("FkPXkey", None),
        ("", None),
    ],
)  # fmt: skip
def test_only_pictures_of_a_kept_host_are_shown(given: str, shown: str | None) -> None:
    assert KEPT.shown_address(given) == shown
    assert shown is None or KEPT.shown_address(shown) == shown
    assert Pictures().shown_address(given) is None


@pytest.mark.any_database
def test_an_import_keeps_the_pictures_of_a_host_and_covers_the_others(
    run: Callable[..., list[ImportReport]], database: Database
) -> None:
    (report,) = run(SQL, pictures=KEPT)
    with database.read() as session:
        rows = session.execute(select(InfoNews.index_image_url, InfoNews.content).order_by(InfoNews.id)).all()
    assert [tuple(row) for row in rows] == [
        (
            "https://img.example.com/1.jpg",
            '<p><img src="https://img.example.com/a.jpg?imageView2/1/w/170" alt="港口"></p>',
        ),
        (None, "<p>码头</p>"),
        (None, "<p></p>"),
    ]
    assert (
        report.tables["info_news"].notes["the picture is on no host that is kept, a drawn cover takes its place"] == 2
    )
    (again,) = run(SQL, pictures=KEPT)
    assert again.tables["info_news"].unchanged == 3


@pytest.mark.any_database
def test_the_pages_show_what_was_kept_and_the_policy_names_the_same_hosts(
    make_app, settings: Settings, called_by, run: Callable[..., list[ImportReport]]
) -> None:
    run(SQL, pictures=KEPT)
    app = make_app(settings.model_copy(update={"image_hosts": (HOST,)}))
    answer = app.test_client().get("/", headers=called_by("news-service"))
    assert f"img-src 'self' https://{HOST};" in answer.headers["Content-Security-Policy"]
    assert 'src="https://img.example.com/1.jpg"' in answer.text
    assert "/static/news/1.jpg" not in answer.text
    without = make_app(settings).test_client().get("/", headers=called_by("news-service"))
    assert "img-src 'self';" in without.headers["Content-Security-Policy"]
    assert "img.example.com" not in without.text


@pytest.mark.any_database
@pytest.mark.parametrize(
    "host",
    ["https://img.example.com", "*.example.com", "img.example.com/x", "a b.com", "x;.com", "localhost", "1.2.3.4"],
)
def test_an_image_host_is_a_bare_name(settings: Settings, host: str) -> None:
    with pytest.raises(ValidationError, match="bare name"):
        Settings(**settings.model_dump() | {"image_hosts": host})
    assert Settings(**settings.model_dump() | {"image_hosts": "img.example.com, b.example"}).image_hosts == (
        "img.example.com",
        "b.example",
    )


@pytest.mark.any_database
def test_an_import_keeps_pictures_that_were_uploaded_here(
    run: Callable[..., list[ImportReport]], database: Database
) -> None:
    here, gone = (f"/images/{letter * 64}.webp" for letter in "ab")
    with database.write() as session:
        name = here.removeprefix("/images/")
        session.add(NewsImage(name=name, user_id=1, uploaded_at=utc_now(), bytes=9, width=4, height=3))
    rows = ", ".join(
        f"({number}, 't', 's', 'd', '<p><img src=\"{address}\" alt=\"图\"></p>', '{address}', 0)"
        for number, address in enumerate((here, gone), start=1)
    )
    run(f"INSERT INTO info_news (id, title, source, digest, content, index_image_url, status) VALUES {rows};")
    with database.read() as session:
        kept, covered = session.execute(select(InfoNews.index_image_url, InfoNews.content).order_by(InfoNews.id))
    assert kept[0] == here
    assert here in kept[1]
    assert tuple(covered) == (None, "<p>图</p>")
