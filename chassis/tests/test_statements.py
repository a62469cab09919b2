"""The rows of a dump's statements."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.dumps.files import read_pieces
from chassis.dumps.statements import DumpRow, read_rows
from chassis.dumps.tokens import DumpBroken

# The machine may be busy.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


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
        "INSERT INTO t VALUES (NOW(",
        "INSERT INTO t VALUES",
        "INSERT INTO t SET a=",
        "INSERT INTO t",
        "CREATE TABLE t (a int",
        "CREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW BEGIN SET @a = 1;",
        "DELIMITER //\nCREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW BEGIN END;\nINSERT INTO t VALUES (1);",
        "COPY t (a) FROM stdin;\n1\n\\.\n",
    ],
)
def test_a_file_that_is_cut_off_or_no_such_dump_is_an_error(sql: str) -> None:
    with pytest.raises(DumpBroken):
        rows(sql)


def problems(sql: str) -> list[tuple[int, str]]:
    """Line and problem of every row; none of a row that can be read."""
    return [(row.line, row.problem) for row in read_rows([sql])]


UNKNOWN_FORM = "this form of INSERT is unknown; export with INSERT INTO … VALUES, as mysqldump does"


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t SELECT * FROM u;",
        "INSERT INTO t DEFAULT VALUES;",
        "INSERT INTO t (SELECT a FROM u);",
        "INSERT INTO t TABLE u;",
        "INSERT INTO [t] VALUES (1);",
        "INSERT INTO t (a, 1.5, ';') VALUES (1);",
        "INSERT INTO t SET 'a';",
        "INSERT INTO t VALUES (1;",
        "INSERT;",
    ],
)
def test_an_insert_of_another_form_is_one_refused_row(sql: str) -> None:
    assert problems(f"{sql}\nINSERT INTO t VALUES (2);") == [(1, UNKNOWN_FORM), (2, "")]


def test_what_follows_the_rows_is_known_or_refused() -> None:
    known = ("", " ON DUPLICATE KEY UPDATE a=NOW()", " AS n ON DUPLICATE KEY UPDATE a=n.a", " ON CONFLICT DO NOTHING")
    for end in (*known, " RETURNING id"):
        assert problems(f"INSERT INTO t VALUES (1){end};\nINSERT INTO t VALUES (2);") == [(1, ""), (2, "")]
    assert problems("INSERT INTO t VALUES (1) (2);\nINSERT INTO t VALUES (3);") == [(1, ""), (1, UNKNOWN_FORM), (2, "")]


BODY = "BEGIN\n  IF NEW.a > 0 THEN INSERT INTO t VALUES (9, NOW()); END IF;\n  SET @x = 'END; //';\nEND"
TRIGGER = f"CREATE DEFINER=`root`@`%` TRIGGER `a` BEFORE INSERT ON `t` FOR EACH ROW {BODY}"


@pytest.mark.parametrize(
    "code",
    [
        f"DELIMITER //\n{TRIGGER}//\nDELIMITER ;",
        f"delimiter ;;\n{TRIGGER};;\ndelimiter ;",
        f"DELIMITER $$\n--\n-- x\n--\n{TRIGGER}$$\n\nDELIMITER ;",
        f"DELIMITER //\n{TRIGGER}\n//\nDROP TABLE x;//\nDELIMITER ;",
        f"DELIMITER //\n{TRIGGER}\nDELIMITER ;",
        "DELIMITER ;;\n/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`b`*/ /*!50003 TRIGGER a BEFORE INSERT ON t FOR EACH ROW "
        "BEGIN /* INSERT */ INSERT INTO t VALUES (9); SET @a = '*/'; INSERT INTO t VALUES (9); END */;;\nDELIMITER ;",
        f"{TRIGGER};",
        f"/*!50003 {TRIGGER} */;",
        "CREATE PROCEDURE p() BEGIN CASE WHEN a THEN SELECT CASE 1 WHEN 1 THEN 2 END; ELSE BEGIN END; END CASE; "
        "l: LOOP INSERT INTO t VALUES (9); LEAVE l; END LOOP; WHILE a DO SET a = REPEAT('x', IF(a, 1, 2)); END WHILE; "
        "REPEAT INSERT INTO t VALUES (9); UNTIL a END REPEAT; INSERT INTO t VALUES (9); END;",
        "CREATE TRIGGER a AFTER UPDATE ON t FOR EACH ROW IF NEW.a THEN INSERT INTO t VALUES (9); END IF;",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN INSERT INTO t VALUES (9); END;",
        "CREATE OR REPLACE FUNCTION f() RETURNS x AS $b$ BEGIN INSERT INTO t VALUES (9); END; $b$ LANGUAGE x;",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC INSERT INTO t VALUES (9); SELECT 1; END;",
        "CREATE FUNCTION f() RETURNS int AS 'INSERT INTO t VALUES (9); ' LANGUAGE sql;",
        "BEGIN NOT ATOMIC INSERT INTO t VALUES (9); END; BEGIN; BEGIN TRANSACTION; COMMIT;",
        "IF @a THEN INSERT INTO t VALUES (9); END IF;",
        "l: BEGIN INSERT INTO t VALUES (9); INSERT INTO t VALUES (9); END;",
        "DELIMITER //\nDROP TRIGGER a; BEGIN NOT ATOMIC INSERT INTO t VALUES (9); END// SET @a = 1;\n",
        "DO $$ BEGIN INSERT INTO t VALUES (9); END $$;",
        "CREATE VIEW v AS SELECT CASE a WHEN 1 THEN 'BEGIN' END AS x FROM t;",
        "CREATE TABLE u LIKE t; CREATE TABLE u AS SELECT 1; CREATE TABLE IF NOT EXISTS u SELECT 1;",
        "ALTER DEFINER=`a`@`b` EVENT e DO BEGIN INSERT INTO t VALUES (9); INSERT INTO t VALUES (9); END;",
        "CREATE TRIGGER a AFTER INSERT ON t FOR EACH ROW INSERT INTO t VALUES (NOW());",
        "DELIMITER //\nCREATE VIEW v AS SELECT 1;\nDROP VIEW v;",
        "DROP TRIGGER IF EXISTS a; ALTER TABLE t ADD COLUMN `begin` int, ADD `end` int; CREATE INDEX i ON t (`begin`);",
    ],
)
def test_code_is_skipped_to_its_delimiter(code: str) -> None:
    sql = f"INSERT INTO t VALUES (1);\n{code}\nINSERT INTO t VALUES (2);"
    assert rows(sql) == [("t", None, ("1",)), ("t", None, ("2",))]


def test_an_insert_may_end_with_another_delimiter() -> None:
    sql = "DELIMITER $$\nINSERT INTO t VALUES (1)$$ INSERT INTO t VALUES (2);\nINSERT INTO t SET a=3$$"
    assert [values for _, _, values in rows(sql)] == [("1",), ("2",), ("3",)]


STATEMENTS = ["INSERT INTO t VALUES (9)", "SET @a = 'x;'", "SELECT 1", "IF a THEN INSERT INTO t VALUES (9); END IF"]


@UNHURRIED
@given(
    delimiter=st.sampled_from([";", "//", ";;", "$$", "|", "end_of_it", "~~"]),
    bodies=st.lists(st.lists(st.sampled_from(STATEMENTS), max_size=4), max_size=4),
    piece=st.integers(1, 30),
)
def test_T45_no_row_comes_out_of_code_and_none_is_lost(delimiter: str, bodies: list[list[str]], piece: int) -> None:
    sql = ""
    for number, body in enumerate(bodies):
        statements = "".join(f"{statement};\n" for statement in body)
        code = f"CREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW BEGIN\n{statements}END"
        sql += f"INSERT INTO t VALUES ({number});\nDELIMITER {delimiter}\n{code}{delimiter}\nDELIMITER ;\n"
    read = read_rows(sql[start : start + piece] for start in range(0, len(sql), piece))
    assert [row.values for row in read] == [(str(number),) for number in range(len(bodies))]


@pytest.mark.parametrize(
    "start",
    [
        "SET sql_mode='ANSI';",
        "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO,ANSI_QUOTES' */;",
        "SET SESSION sql_mode = 'POSTGRESQL';",
        "SET @@session.sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES'), time_zone = '+00:00';",
        "SET standard_conforming_strings = on;",
        "PRAGMA foreign_keys=OFF;",
        "",
    ],
)
def test_double_quotes_stand_around_names_where_the_dump_says_so(start: str) -> None:
    sql = f"""{start}CREATE TABLE "t" ("a" int, "b" text);\nINSERT INTO public."t" VALUES (1, 'x'), (2, "x");"""
    assert [(row.columns, row.values) for row in read_rows([sql]) if not row.problem] == [(("a", "b"), ("1", "x"))]
    assert [row.problem for row in read_rows([sql])][1].startswith("b is in double quotes, which stand around names")


def test_double_quotes_stand_around_texts_otherwise() -> None:
    sql = 'SET SQL_MODE = "NO_AUTO_VALUE_ON_ZERO"; INSERT INTO `t` (`a`) VALUES ("x");'
    assert rows(sql) == [("t", ("a",), ("x",))]


def test_a_mode_ends_with_the_statement_that_sets_it_back() -> None:
    ansi, back = "SET @s = @@sql_mode; SET sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES';", "SET sql_mode = @s;"
    sql = f"{ansi} INSERT INTO t VALUES ('a\\'); {back} INSERT INTO t VALUES ('a\\'', \"b\");"
    assert [values for _, _, values in rows(sql)] == [("a\\",), ("a'", "b")]


@pytest.mark.parametrize("start", ["SET standard_conforming_strings = on;", "PRAGMA foreign_keys=OFF;"])
def test_a_backslash_is_a_character_where_the_dump_says_so(start: str) -> None:
    assert [values for _, _, values in rows(f"{start} INSERT INTO t VALUES ('C:\\', 'a\\n');")] == [("C:\\", "a\\n")]


def test_inserts_of_pg_dump() -> None:
    sql = """
    \\restrict abc
    SET standard_conforming_strings = on;
    SELECT pg_catalog.set_config('search_path', '', false);
    CREATE TABLE public.t (id integer NOT NULL, "order" text DEFAULT 'a'::text, is_admin boolean);
    INSERT INTO public.t VALUES (1, 'it''s', true);
    INSERT INTO public.t (id, "order") OVERRIDING SYSTEM VALUE VALUES (2, 'b') ON CONFLICT DO NOTHING;
    SELECT pg_catalog.setval('public.t_id_seq', 2, true);
    \\unrestrict abc
    """
    assert rows(sql) == [*(("t", ("id", "order", "is_admin"), ("1", "it's", "1")), ("t", ("id", "order"), ("2", "b")))]


def test_rows_of_mysql_8_with_their_word() -> None:
    assert [values for _, _, values in rows("INSERT INTO t VALUES ROW(1, 2), ROW(3, 4);")] == [("1", "2"), ("3", "4")]


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
