"""Dumps of the course are imported by the operator's commands into running services, and people sign in afterwards."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from hashlib import pbkdf2_hmac
from pathlib import Path
from typing import Any

import pytest

from stage.accounts import Accounts, running_accounts
from stage.client import Client

WEAK, GOOD = "a1b2c3", "another good password"
HASH = "pbkdf2:sha256:50000$a-salt$" + pbkdf2_hmac("sha256", WEAK.encode(), b"a-salt", 50000).hex()
DAY = "'2019-01-01 08:00:00'"
CODE = "031415"
# Person 1 of the dump is nobody here, because the id 1 is given to another before the import; person 2 comes along.
DUMP = f"""
INSERT INTO `info_user` VALUES
  ({DAY},{DAY},1,'theirs','{HASH}','13700137001',null,null,0,null,'MAN'),
  ({DAY},{DAY},2,'ours','{HASH}','13700137002',null,null,1,null,'MAN');
DELIMITER //
CREATE TRIGGER t BEFORE INSERT ON info_news FOR EACH ROW BEGIN INSERT INTO info_category VALUES (NOW()); END//
DELIMITER ;
INSERT INTO `info_news` VALUES
  ({DAY},{DAY},1,'t','their source','d','c',0,'',null,1,0,null),({DAY},{DAY},2,'t','s','d','c',0,'',null,2,0,null);
INSERT INTO `info_comment` VALUES ({DAY},{DAY},1,1,2,'c',null,0),({DAY},{DAY},2,2,1,'c',1,0);
INSERT INTO `info_comment_like` VALUES (null,null,2,1),(null,null,2,2);
INSERT INTO `info_user_collection` VALUES (1,1,{DAY}),(2,1,{DAY});
INSERT INTO `info_user_fans` VALUES (1,2),(2,1);
DELIMITER $$
CREATE PROCEDURE p() BEGIN INSERT INTO info_category VALUES (NULL,NULL,9,'code'); END$$
DELIMITER ;
SET sql_mode = 'ANSI';
INSERT INTO "info_category" ("create_time","id","name") VALUES (TIMESTAMP {DAY},7,'ANSI'),(NOW(),8,'computed');
"""


@pytest.fixture(scope="module")
def accounts() -> Iterator[Accounts]:
    """user-service and a gateway; a stranger has the first id."""
    with running_accounts(gateways=1) as system:
        with Client() as client:
            client.register(system.gateways[0], "13800138000")
        own = {
            "NEWS_DATABASE_URL": f"sqlite:///{system.folder / 'news.db'}",
            "NEWS_REDIS_URL": system.redis.url,
            "NEWS_INTERNAL_TOKEN_KEY": system.env["USER_INTERNAL_TOKEN_KEY"],
            "NEWS_USER_SERVICE_URL": system.user.url,
            "NEWS_IMAGES_DIR": str(system.folder / "images"),
        }
        system.env.update(own)
        (system.folder / "dump.sql").write_text(DUMP, encoding="utf-8")
        yield system


def command(accounts: Accounts, service: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of an operator."""
    line = [sys.executable, "-m", "flask", "--app", f"{service}.app", *words]
    return subprocess.run(line, env={**os.environ, **accounts.env}, capture_output=True, text=True, timeout=60)


def rows(folder: Path, query: str) -> list[Any]:
    """Read the news database."""
    with closing(sqlite3.connect(folder / "news.db")) as connection:
        return connection.execute(query).fetchall()


def ask(accounts: Accounts, client: Client, method: str, path: str, body: Any, **options: Any) -> Any:
    return client.ask(accounts.gateways[0], method, path, json=body, **options)


@pytest.fixture(scope="module")
def imported(accounts: Accounts) -> str:
    """The report on the accounts, with roles."""
    result = command(accounts, "user_service", "import-sql", "--with-roles", str(accounts.folder / "dump.sql"))
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_T48_the_news_of_a_stranger_are_nobodys(accounts: Accounts, imported: str) -> None:
    assert "info_user: 1 × refused: its id belongs to another account (line 3)" in imported
    assert command(accounts, "news_service", "migrate").returncode == 0
    dump = str(accounts.folder / "dump.sql")
    accounts.user.stop()
    refused = command(accounts, "news_service", "import-sql", dump)
    assert (refused.returncode, "user-service does not say" in refused.stderr) == (1, True)
    assert rows(accounts.folder, "SELECT count(*) FROM info_news") == [(0,)]
    accounts.user.start()
    report = command(accounts, "news_service", "import-sql", dump).stdout
    assert "info_news: 1 × its author is not the same person here (id and mobile), kept without an author" in report
    assert report.count("1 × refused: its user is not the same person here (id and mobile)") == 3
    assert "info_user_fans: 2 × refused: its user is not the same person here (id and mobile)" in report
    assert "where 1 of 2 are the same person" in report
    assert "info_category: 1 × refused: create_time would have to be computed by a database" in report
    assert rows(accounts.folder, "SELECT id, name FROM info_category WHERE id > 6") == [(7, "ANSI")]
    articles = rows(accounts.folder, "SELECT id, user_id, source FROM info_news ORDER BY id")
    assert articles == [(1, None, "their source"), (2, 2, "s")]
    assert rows(accounts.folder, "SELECT id, user_id, parent_id FROM info_comment") == [(2, 2, None)]
    assert rows(accounts.folder, "SELECT comment_id, user_id FROM info_comment_like") == [(2, 2)]
    assert rows(accounts.folder, "SELECT user_id, news_id FROM info_user_collection") == [(2, 1)]
    assert rows(accounts.folder, "SELECT * FROM info_user_fans") == []


def test_T46_an_imported_administrator_sets_a_new_password_first(accounts: Accounts, imported: str) -> None:
    mobile = "13700137002"
    assert "is an administrator as soon as a new password is set by a code to the mobile" in imported
    with Client() as client:
        weak = {"mobile": mobile, "password": WEAK}
        assert ask(accounts, client, "POST", "/api/v1/sessions", weak).json()["code"] == "password_reset_required"
        classic = ask(accounts, client, "POST", "/passport/login", weak).json()
        assert (classic["errno"], classic["errmsg"]) == ("4103", "请先重置密码")
        by_code = ask(accounts, client, "POST", "/api/v1/sessions", {"mobile": mobile, "sms_code": CODE}).json()
        token = by_code["access_token"]
        assert by_code["user"]["roles"] == []
        assert ask(accounts, client, "GET", "/api/v1/admin/users", None, token=token).status_code == 403
        reset = {"mobile": mobile, "sms_code": CODE, "password": GOOD}
        assert ask(accounts, client, "POST", "/api/v1/password-resets", reset).status_code == 204
        token = ask(accounts, client, "POST", "/api/v1/sessions", weak | {"password": GOOD}).json()["access_token"]
        assert ask(accounts, client, "GET", "/api/v1/admin/users", None, token=token).status_code == 200
