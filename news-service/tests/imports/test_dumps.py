"""The import of dumps into the tables: chapter 4 of the classic's description, rule by rule."""

from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from chassis.database import Database
from chassis.dumps.files import examine_file
from chassis.dumps.importing import ImportOptions
from chassis.dumps.report import ImportReport, TableReport
from chassis.dumps.tokens import DumpBroken
from chassis.service_client import ServiceClient
from news_service.articles.articles import Articles
from news_service.articles.ranking import hot_score
from news_service.articles.tables import InfoCategory, InfoNews
from news_service.comments.tables import InfoComment, InfoCommentLike
from news_service.imports.authors import ask_user_service
from news_service.imports.importing import import_files
from news_service.readers.tables import InfoUserCollection, InfoUserFans
from news_service.tables import Base

DATA = Path(__file__).parents[1] / "data"
CATEGORIES = DATA / "information_info_category.sql"
NEWS = DATA / "information_info_news.sample.sql"
Import = Callable[..., list[ImportReport]]


def stored(database: Database, model: type[Base]) -> list[dict[str, object]]:
    """All rows of a table, by its primary key."""
    table = model.__table__
    with database.read() as session:
        return [dict(row._mapping) for row in session.execute(select(table).order_by(*table.primary_key))]


def people(*accounts: tuple[int, str]) -> str:
    """A file with accounts."""
    rows = ",".join(
        f"(null,null,'{number}','n','h','{mobile}',null,null,'0',null,'MAN')" for number, mobile in accounts
    )
    return f"INSERT INTO `info_user` VALUES {rows};"


PEOPLE = people((1, "13800138001"), (5, "13800138005"), (6, "13800138006"))


def counts(report: TableReport) -> tuple[int, ...]:
    return (report.read, report.written, report.changed, report.unchanged, report.refused)


def test_the_courses_category_file_gets_the_ids_of_an_empty_table(run: Import, database: Database) -> None:
    (report,) = run(CATEGORIES)
    assert counts(report.tables["info_category"]) == (6, 6, 0, 0, 0)
    assert [(row["id"], row["name"]) for row in stored(database, InfoCategory)] == [
        *((1, "最新"), (2, "股市"), (3, "债市"), (4, "商品"), (5, "外汇"), (6, "公司"))
    ]
    # 20:55:48 in Shanghai.
    assert stored(database, InfoCategory)[0]["create_time"] == datetime(2018, 1, 17, 12, 55, 48, tzinfo=UTC)


def test_the_sample_of_news_arrives_whole(run: Import, database: Database) -> None:
    run(CATEGORIES, NEWS, PEOPLE)
    rows = {row["id"]: row for row in stored(database, InfoNews)}
    assert list(rows) == [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 15]
    assert rows[2]["title"] == '他说"先看懂风险"：老会计的理财课'
    assert rows[3]["content"] == (
        "<p>示例语句：INSERT INTO `t` VALUES (1, 'a'), (2, 'b'); -- 仍是正文</p>\n<p>/* 这也是正文 */ # 这还是正文</p>"
    )
    assert rows[4]["digest"] == "路径里的反斜杠要成对写，末尾也一样：D:\\backup\\"
    assert (
        rows[4]["content"].replace("\r\n", "\n")
        == "<pre>C:\\data\\news\\a.txt\nC:\\data\\news\\b.txt\n列一\t列二\t列三</pre>"
    )
    assert rows[5]["title"] == "小店叫 Lily's，老板却姓王"
    assert rows[8]["reason"] == "请补充数据来源"
    assert rows[11]["title"] == "🚀 火箭上的“小乘客”：一粒种子与𠮷田先生"
    assert (rows[12]["digest"], rows[12]["reason"]) == ("null", None)
    assert {number: row["status"] for number, row in rows.items() if row["status"] != 0} == {6: 1, 7: -1, 15: 1}
    assert {number: row["user_id"] for number, row in rows.items() if row["user_id"]} == {6: 1, 7: 1, 8: 1}


@pytest.mark.any_database
def test_contents_are_made_safe(run: Import, database: Database) -> None:
    run(CATEGORIES, NEWS)
    rows = {row["id"]: row["content"] for row in stored(database, InfoNews)}
    assert rows[7] == "<p>恭喜您中奖。</p>"
    assert rows[2].startswith("<h2>先看懂风险</h2>")
    assert "style" not in "".join(rows.values())


def test_a_second_run_changes_nothing(run: Import, database: Database) -> None:
    run(CATEGORIES, NEWS)
    before = [stored(database, model) for model in (InfoCategory, InfoNews)]
    categories, news = run(CATEGORIES, NEWS)
    assert counts(categories.tables["info_category"]) == (6, 0, 0, 6, 0)
    assert counts(news.tables["info_news"]) == (12, 0, 0, 12, 0)
    assert [stored(database, model) for model in (InfoCategory, InfoNews)] == before


def test_files_may_come_in_any_order(run: Import, database: Database) -> None:
    run(NEWS, CATEGORIES)
    assert stored(database, InfoNews)[0]["category_id"] == 6


def test_a_dry_run_writes_nothing_and_reports_the_same(run: Import, database: Database) -> None:
    dry = run(CATEGORIES, NEWS, is_dry_run=True)
    assert [stored(database, model) for model in (InfoCategory, InfoNews)] == [[], []]
    assert [report.lines() for report in run(CATEGORIES, NEWS)] == [report.lines() for report in dry]


def test_the_next_article_gets_an_id_after_the_highest(run: Import, database: Database) -> None:
    run(CATEGORIES, NEWS)
    with database.write() as session:
        article = InfoNews(title="新", source="s", digest="d", content="", status=2, published_at=datetime.now(UTC))
        category = InfoCategory(name="新")
        session.add_all([article, category])
        session.flush()
        assert (article.id, category.id) == (16, 7)


def test_the_public_reads_what_was_approved(run: Import, articles: Articles) -> None:
    run(CATEGORIES, NEWS)
    page = articles.list_newest(category_id=None, cursor=None, limit=50)
    assert [article.id for article in page.items] == [12, 11, 10, 8, 5, 4, 3, 2, 1]
    assert [article.id for article in articles.hottest(2)] == [12, 11]


def test_missing_values_get_what_the_classic_shows(run: Import, database: Database) -> None:
    (_, report) = run(CATEGORIES, NEWS)
    rows = {row["id"]: row for row in stored(database, InfoNews)}
    assert (rows[10]["clicks"], rows[10]["category_id"], rows[10]["index_image_url"]) == (0, None, None)
    assert (rows[15]["update_time"], rows[15]["status"]) == (None, 1)
    assert rows[15]["published_at"] == rows[15]["create_time"] == datetime(2019, 3, 15, 15, 59, 59, tzinfo=UTC)
    assert rows[12]["update_time"] < rows[12]["create_time"]
    assert report.tables["info_news"].notes == {
        "status None became 1 (in review)": 1,
        "its author is unknown, because no file has info_user; name the file with the accounts, too, "
        "kept without an author": 3,
        "the picture is on no host that is kept, a drawn cover takes its place": 8,
    }


def test_the_time_zone_is_an_option_and_a_second_run_can_correct_it(run: Import, database: Database) -> None:
    run(CATEGORIES, NEWS)
    run(CATEGORIES, NEWS, zone="UTC")
    article = stored(database, InfoNews)[0]
    assert article["create_time"] == article["published_at"] == datetime(2019, 3, 4, 9, 15, tzinfo=UTC)


def test_articles_are_scored(run: Import, database: Database) -> None:
    run(CATEGORIES, NEWS)
    for row in stored(database, InfoNews):
        expected = hot_score(views=row["clicks"], likes=0, commenters=0, published_at=row["published_at"])
        assert row["hot_score"] == expected


ARTICLE = "('2019-01-01 08:00:00','2019-01-01 08:00:00',{id},'题','源','摘','<p>文</p>',0,'',{category},null,0,null)"
FULL_DUMP = f"""
SET FOREIGN_KEY_CHECKS=0;
DROP TABLE IF EXISTS `info_category`;
INSERT INTO `alembic_version` VALUES ('0123456789ab');
INSERT INTO `info_comment` VALUES
 ('2019-01-02 08:00:00','2019-01-02 08:00:00','1','5','3','答','2','0'),
 ('2019-01-02 07:00:00','2019-01-02 07:00:00','2','6','3','评',null,null),
 ('2019-01-02 07:00:00','2019-01-02 07:00:00','3','6','99','无文',null,'0'),
 ('2019-01-02 07:00:00','2019-01-02 07:00:00','4','6','3','无主','77','0');
INSERT INTO `info_comment_like` VALUES (null,null,'2','5'), (null,null,'99','5');
INSERT INTO `info_news` VALUES {ARTICLE.format(id=3, category=9)}, {ARTICLE.format(id=4, category=8)};
{PEOPLE}
INSERT INTO `info_user_collection` VALUES ('5','3','2019-01-02 08:00:00');
INSERT INTO `info_user_fans` VALUES ('5','6');
INSERT INTO `info_category` VALUES (null,null,'1','最新'),(null,null,'9','科技');
"""


def test_a_full_dump_is_imported_in_the_order_of_its_references(run: Import, database: Database) -> None:
    (report,) = run(FULL_DUMP)
    assert {name: counts(table) for name, table in report.tables.items()} == {
        "info_category": (2, 2, 0, 0, 0),
        "info_news": (2, 2, 0, 0, 0),
        "info_comment": (4, 3, 0, 0, 1),
        "info_comment_like": (2, 1, 0, 0, 1),
        "info_user_collection": (1, 1, 0, 0, 0),
        "info_user_fans": (1, 1, 0, 0, 0),
    }
    assert [(row["id"], row["category_id"], row["comment_count"]) for row in stored(database, InfoNews)] == [
        *((3, 9, 3), (4, None, 0))
    ]
    assert [(row["id"], row["parent_id"], row["like_count"]) for row in stored(database, InfoComment)] == [
        *((1, 2, 0), (2, None, 0), (4, None, 0))
    ]
    threads = [(row["root_id"], row["reply_count"], row["is_listed"]) for row in stored(database, InfoComment)]
    assert threads == [(2, 0, True), (0, 1, True), (0, 0, True)]
    assert [(row["comment_id"], row["user_id"]) for row in stored(database, InfoCommentLike)] == [(2, 5)]
    assert [(row["user_id"], row["news_id"]) for row in stored(database, InfoUserCollection)] == [(5, 3)]
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    follows = [(row["follower_id"], row["followed_id"], row["create_time"]) for row in stored(database, InfoUserFans)]
    assert follows == [(5, 6, epoch)]
    skipped = "info_user: skipped, accounts belong to user-service, where 3 of 3 are the same person (3 rows)"
    assert skipped in report.lines()
    assert "info_comment: 1 × refused: its article is not there (line 8)" in report.lines()
    assert "info_comment: 1 × the comment that it answers is not there" in report.lines()
    assert "info_news: 1 × category 8 is not there, kept without a category" in report.lines()
    assert not [line for line in report.lines() if "alembic" in line]


def test_a_full_dump_twice_changes_nothing(run: Import) -> None:
    run(FULL_DUMP)
    (report,) = run(FULL_DUMP)
    assert [table.written + table.changed for table in report.tables.values()] == [0] * 6


def test_favourites_and_comments_count_for_the_hot_list(run: Import, database: Database) -> None:
    run(FULL_DUMP)
    article = stored(database, InfoNews)[0]
    score = hot_score(views=0, likes=1, commenters=2, published_at=article["published_at"])
    assert article["hot_score"] == score


def test_unknown_columns_and_tables_are_left_out_and_reported(run: Import, database: Database) -> None:
    (report,) = run(
        """
        CREATE TABLE `info_category` (`id` int, `comments_count` int, `name` varchar(64));
        INSERT INTO `info_category` VALUES (4, 17, '商品');
        INSERT INTO `info_tag` VALUES (1), (2);
        """
    )
    assert [(row["id"], row["name"]) for row in stored(database, InfoCategory)] == [(4, "商品")]
    assert report.lines()[-2:] == [
        "info_category: 1 × the column comments_count is unknown and left out",
        "info_tag: skipped, not a table of the news (2 rows)",
    ]


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ("null,null,'x','最新'", "id is not an integer"),
        ("null,null,99999999999,'最新'", "id is not an integer"),
        ("null,null,null,'最新'", "id is NULL or missing"),
        ("null,null,1,null", "name is NULL or missing"),
        ("null,null,1,'" + "长" * 65 + "'", "name is longer than 64 characters"),
        ("'gestern',null,1,'最新'", "create_time is not a time"),
        ("'2019-02-30 00:00:00',null,1,'最新'", "create_time is not a time"),
        ("null,null,1", "3 values for 4 columns"),
    ],
)
def test_a_bad_row_is_refused_with_its_reason(run: Import, database: Database, values: str, reason: str) -> None:
    (report,) = run(f"INSERT INTO info_category VALUES ({values}), (null,null,2,'股市');")
    assert report.tables["info_category"].reasons == {reason: 1}
    assert [row["id"] for row in stored(database, InfoCategory)] == [2]


@pytest.mark.any_database
@pytest.mark.parametrize("status", ["2", "3", "-2", "null", "'9'"])
def test_no_status_makes_an_article_public_by_accident(run: Import, database: Database, status: str) -> None:
    row = ARTICLE.format(id=1, category="null").replace(",null,0,null)", f",null,{status},null)")
    run(f"INSERT INTO info_news VALUES {row};")
    assert stored(database, InfoNews)[0]["status"] == 1
    assert stored(database, InfoNews)[0]["submitted_at"] == stored(database, InfoNews)[0]["published_at"]


def test_a_zero_time_is_no_time(run: Import, database: Database) -> None:
    run("INSERT INTO info_category VALUES ('0000-00-00 00:00:00', '0000-00-00 00:00:00', 1, '最新');")
    assert stored(database, InfoCategory)[0]["create_time"] is None


def test_a_zero_character_is_dropped(run: Import, database: Database) -> None:
    run(r"INSERT INTO info_category VALUES (null, null, 1, '最\0新');")
    assert stored(database, InfoCategory)[0]["name"] == "最新"


def test_a_value_to_be_computed_refuses_its_row_alone(run: Import, database: Database) -> None:
    (report,) = run(
        """DELIMITER //
        CREATE TRIGGER t BEFORE INSERT ON info_news FOR EACH ROW BEGIN
          INSERT INTO info_category VALUES (NOW(), NOW(), 9, 'x');
        END//
        DELIMITER ;
        INSERT INTO info_category VALUES (null, TIMESTAMP '2019-01-01 08:00:00', 1, _utf8mb4'最新'),
          (NOW(), null, 2, '股市'), (null, null, 0x03, 0xE580BAE5B882);
        """
    )
    assert report.lines()[2:] == [
        "info_category: 1 × refused: value 1 would have to be computed by a database; "
        "write the value itself, as mysqldump does (line 7)"
    ]
    assert [(row["id"], row["name"]) for row in stored(database, InfoCategory)] == [(1, "最新"), (3, "债市")]


@pytest.mark.any_database
def test_what_cannot_be_seen_of_a_title_is_left_out(run: Import, database: Database) -> None:
    sql = (
        "INSERT INTO info_news (title, source, digest, content, create_time, status) VALUES "
        "('\u202e甲\u202c', '\u3164', '👨\u200d👩', 'c', '2019-01-01 00:00:00', 0), "
        "('\u2800\u200b', 's', 'd', 'c', '2019-01-01 00:00:00', 0);"
    )
    (report,) = run(sql)
    assert report.tables["info_news"].reasons == {"title has nothing to see": 1}
    assert report.tables["info_news"].notes["invisible characters of title are left out"] == 1
    assert [(row["title"], row["source"], row["digest"]) for row in stored(database, InfoNews)] == [
        ("甲", "", "👨\u200d👩")
    ]
    (again,) = run(sql)
    assert counts(again.tables["info_news"]) == (2, 0, 0, 1, 1)


@pytest.mark.any_database
def test_a_comment_that_shows_nothing_is_refused(run: Import) -> None:
    (report,) = run(
        PEOPLE + f"INSERT INTO info_news VALUES {ARTICLE.format(id=1, category='null')};"
        "INSERT INTO info_comment (id, user_id, news_id, content) VALUES (1, 1, 1, '\u3164'), (2, 1, 1, '好');"
    )
    assert report.tables["info_comment"].reasons == {"content has nothing to see": 1}


def test_articles_without_ids_are_found_again_by_title_and_time(run: Import, database: Database) -> None:
    sql = (
        "INSERT INTO info_news (title, source, digest, content, create_time, status) VALUES "
        "('甲', 's', 'd', 'c', '2019-01-01 00:00:00', 0), ('乙', 's', 'd', 'c', '2019-01-01 00:00:00', 0);"
    )
    run(sql)
    (report,) = run(sql)
    assert counts(report.tables["info_news"]) == (2, 0, 0, 2, 0)
    assert [(row["id"], row["title"]) for row in stored(database, InfoNews)] == [(1, "甲"), (2, "乙")]


def test_the_same_id_twice_in_a_file_is_one_row(run: Import, database: Database) -> None:
    (report,) = run("INSERT INTO info_category VALUES (null,null,1,'甲'), (null,null,1,'乙');")
    assert counts(report.tables["info_category"]) == (2, 1, 1, 0, 0)
    assert [row["name"] for row in stored(database, InfoCategory)] == ["乙"]
    assert "info_category: 1 × category 1 is not 最新, yet it stands for all articles" in report.lines()


def test_views_that_were_counted_here_stay(run: Import, database: Database) -> None:
    run(CATEGORIES, NEWS)
    with database.write() as session:
        session.get_one(InfoNews, 1).clicks = 400
    (_, report) = run(CATEGORIES, NEWS)
    assert counts(report.tables["info_news"]) == (12, 0, 0, 12, 0)
    assert stored(database, InfoNews)[0]["clicks"] == 400


def test_what_was_edited_here_since_is_kept(run: Import, database: Database, now: datetime) -> None:
    run(CATEGORIES, NEWS)
    with database.write() as session:
        article = session.get_one(InfoNews, 1)
        article.title, article.update_time = "新题", now
    (_, report) = run(CATEGORIES, NEWS)
    assert stored(database, InfoNews)[0]["title"] == "新题"
    assert report.tables["info_news"].notes["edited here since, kept as it is here"] == 1


def test_a_newer_dump_changes_what_differs(run: Import, database: Database) -> None:
    run("INSERT INTO info_news VALUES " + ARTICLE.format(id=1, category="null"))
    newer = ARTICLE.format(id=1, category="null").replace("'题'", "'新题'")
    (report,) = run("INSERT INTO info_news VALUES " + newer)
    assert counts(report.tables["info_news"]) == (1, 0, 1, 0, 0)
    assert [(row["title"], row["version"]) for row in stored(database, InfoNews)] == [("新题", 2)]


def test_a_big_file_is_streamed(run: Import, database: Database, tmp_path: Path) -> None:
    path = tmp_path / "big.sql"
    with path.open("w", encoding="utf-8") as file:
        for number in range(1, 61):
            row = ARTICLE.format(id=number, category="null").replace("文", "很长的正文；" * 5000)
            file.write(f"INSERT INTO `info_news` VALUES {row};\n")
    assert path.stat().st_size > 4 * 1024 * 1024
    (report,) = run(path)
    assert counts(report.tables["info_news"]) == (60, 60, 0, 0, 0)


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "INSERT INTO info_category VALUES (null,null,1,'最新');\nINSERT INTO info_category VALUES (null,null,2,'股",
            "text",
        ),
        ("INSERT INTO info_category VALUES (null,null,1,'最新'),", "cut off"),
        ("SELECT 1;", "no INSERT"),
        ("", "no INSERT"),
    ],
)
def test_a_broken_file_writes_nothing(run: Import, database: Database, content: str, message: str) -> None:
    with pytest.raises(DumpBroken, match=message):
        run(CATEGORIES, content)
    assert stored(database, InfoCategory) == []


def test_a_failure_in_the_middle_takes_the_whole_file_back(
    database: Database, tmp_path: Path, client_of_users: ServiceClient
) -> None:
    path = tmp_path / "dump.sql"
    path.write_text(FULL_DUMP, encoding="utf-8")
    file = examine_file(path, lambda _: None)
    options = ImportOptions(zone=ZoneInfo("UTC"), is_dry_run=False, progress=lambda *_: nullcontext(lambda _: None))
    importing = import_files(database, [file], options, find_same=partial(ask_user_service, client_of_users))
    path.write_text(FULL_DUMP[:-20], encoding="utf-8")  # Cut off between the readings.
    with pytest.raises(DumpBroken):
        list(importing)
    assert stored(database, InfoCategory) == []


def test_nothing_of_a_dump_stands_in_its_report(run: Import) -> None:
    (report,) = run(
        FULL_DUMP.replace("'无文'", "'秘密'").replace("'n','h'", "'秘密','秘密'").replace("13800138006", "秘密")
    )
    assert "秘密" not in "\n".join(report.lines())


def test_seconds_may_have_fractions(run: Import, database: Database) -> None:
    run("INSERT INTO info_category VALUES ('2019-01-01 08:00:00.25', null, 1, '最新');")
    moment = datetime(2019, 1, 1, tzinfo=UTC) + timedelta(milliseconds=250)
    assert stored(database, InfoCategory)[0]["create_time"] == moment
