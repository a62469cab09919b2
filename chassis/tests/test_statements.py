"""The rows of a dump's statements."""

from pathlib import Path

import pytest

from chassis.dumps.files import read_pieces
from chassis.dumps.mysql_dump import DumpBroken
from chassis.dumps.statements import DumpRow, read_rows


def rows(sql: str) -> list[tuple[str, tuple[str, ...] | None, tuple[str | None, ...]]]:
    return [(row.table, row.columns, row.values) for row in read_rows([sql])]


def test_an_insert_without_columns() -> None:
    assert list(read_rows(["\nINSERT INTO `t` VALUES ('1', 2, null);"])) == [DumpRow("t", None, ("1", "2", None), 2)]


@pytest.mark.parametrize("columns", ["(`b`, `a`)", "(b, a)", "(b,`a`)"])
def test_an_insert_with_columns(columns: str) -> None:
    assert rows(f"INSERT INTO t {columns} VALUES (1, 2)") == [("t", ("b", "a"), ("1", "2"))]


def test_many_rows_in_one_insert() -> None:
    assert [values for _, _, values in rows("INSERT INTO t VALUES (1,'a;'),(2,'b)'),\n(3,'c,(');")] == [
        *(("1", "a;"), ("2", "b)"), ("3", "c,("))
    ]


def test_null_is_neither_a_text_nor_empty() -> None:
    assert rows("INSERT INTO t VALUES (null, NULL, 'null', 'NULL', '')") == [
        ("t", None, (None, None, "null", "NULL", ""))
    ]


def test_the_order_of_create_table_is_kept() -> None:
    sql = """
    CREATE TABLE IF NOT EXISTS `t` (
      `id` int(11) NOT NULL AUTO_INCREMENT,
      `key` varchar(32) DEFAULT 'a,b)' COMMENT 'x, `y` int',
      price decimal(10,2), gender enum('MAN','WOMAN'),
      PRIMARY KEY (`id`), UNIQUE KEY `u` (`key`,`price`), KEY `k` (`price`),
      CONSTRAINT `f` FOREIGN KEY (`id`) REFERENCES `o` (`id`)
    ) ENGINE=InnoDB AUTO_INCREMENT=7;
    INSERT INTO `t` VALUES (1,'k',2.50,'MAN');
    """
    assert rows(sql) == [("t", ("id", "key", "price", "gender"), ("1", "k", "2.50", "MAN"))]


@pytest.mark.parametrize("table", ["db.t", "`db`.`t`", "db.`t`", "`db`.t", "T"])
def test_a_schema_before_the_table_is_dropped(table: str) -> None:
    assert rows(f"INSERT INTO {table} VALUES (1);") == [("t", None, ("1",))]


@pytest.mark.parametrize("start", ["REPLACE INTO", "INSERT IGNORE INTO", "insert into", "INSERT LOW_PRIORITY INTO"])
def test_spellings_of_insert(start: str) -> None:
    assert rows(f"{start} t values (_utf8mb4'a', TRUE) ON DUPLICATE KEY UPDATE a=';';") == [("t", None, ("a", "1"))]


def test_other_statements_are_skipped() -> None:
    sql = """
    SET NAMES utf8mb4; SET FOREIGN_KEY_CHECKS = 0; DROP TABLE IF EXISTS `t`; LOCK TABLES `t` WRITE;
    /*!40000 ALTER TABLE `t` DISABLE KEYS */; CREATE VIEW v AS SELECT ';' FROM t;
    UPDATE t SET a='INSERT INTO t VALUES (9)'; UNLOCK TABLES;
    """
    assert rows(sql) == []


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t VALUES (1",
        "INSERT INTO t VALUES (1),",
        "INSERT INTO t VALUES",
        "INSERT INTO t",
        "INSERT INTO t SELECT * FROM u;",
        "INSERT INTO t SET a=1;",
        "INSERT INTO t VALUES (NOW());",
        "INSERT INTO t VALUES (1) (2);",
        "CREATE TABLE t (a int",
    ],
)
def test_a_statement_that_cannot_be_read_is_an_error(sql: str) -> None:
    with pytest.raises(DumpBroken):
        rows(sql)


def test_a_file_is_read_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "dump.sql"
    text = "\ufeffINSERT INTO t VALUES (1, '" + "𠮷" * 200_000 + "');"
    path.write_text(text, encoding="utf-8")
    progress: list[int] = []
    pieces = list(read_pieces(path, progress.append))
    assert "".join(pieces) == text[1:]
    assert len(progress) > 3
    assert sum(progress) == path.stat().st_size


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("INSERT INTO t VALUES ('café')".encode("latin1"), "not UTF-8 .near byte 26."),
        ("最新".encode("gbk"), "not UTF-8"),
        (b"\x1f\x8b\x08\x00\x00", "not UTF-8"),
        (b"SQLite format 3\0", "zero bytes"),
        ("最新".encode()[:-1], "not UTF-8"),
    ],
)
def test_what_is_no_utf8_text_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "dump.sql"
    path.write_bytes(content)
    with pytest.raises(DumpBroken, match=message):
        list(read_pieces(path, lambda _: None))
