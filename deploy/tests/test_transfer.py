"""One command imports accounts and news, and one exports them: on the data of `make run`, while nothing runs."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pymysql
import pytest
from sqlalchemy.engine import make_url

PICTURE = ",'http://img.example.com/1.jpg',NULL,1,0"
DAY = "'2019-01-01 08:00:00'"
NO_SETTINGS: dict[str, str] = {}
Command = Callable[..., subprocess.CompletedProcess[str]]
# Runs the command, and prints the most memory that it held, in KiB.
MEASURED = (
    "import atexit, resource; from local.transfer import main; "
    "atexit.register(lambda: print('most', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)); main()"
)


@pytest.fixture
def transfer(root: Path, tmp_path: Path) -> Command:
    """Run a command on a folder of data as `make` does, in a folder with files, with no setting but DATA_DIR."""
    folders = [path.parent for path in root.glob("*/pyproject.toml")] + [root / "deploy"]
    path = os.pathsep.join(map(str, folders))

    def run(
        *arguments: str,
        data: str = "data",
        code: str = "from local.transfer import main; main()",
        settings: dict[str, str] = NO_SETTINGS,
    ) -> subprocess.CompletedProcess[str]:
        given = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "DATA_DIR": str(tmp_path / data), **settings}
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(
            command, env=given, cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False
        )

    return run


def dump(people: int) -> Iterator[str]:
    """A dump of so many people, each with an article and a comment; the tables stand in the order of the alphabet."""
    yield from (
        f"INSERT INTO info_comment VALUES ({DAY},{DAY},{n},{n},{n},'评论{n}',{n - 1 if n % 3 == 0 else 'NULL'},0);\n"
        for n in range(1, people + 1)
    )
    yield from (
        f"INSERT INTO info_news VALUES ({DAY},{DAY},{n},'t{n}','s','d','<p>it\\'s {n}</p>',{n},NULL,NULL,{n},0,NULL);\n"
        for n in range(1, people + 1)
    )
    yield from (
        f"INSERT INTO info_user VALUES ({DAY},{DAY},{n},'p{n}','h','{13800000000 + n}',NULL,NULL,0,NULL,'MAN');\n"
        for n in range(1, people + 1)
    )


def rows(output: str) -> dict[str, list[int]]:
    """The numbers of a report: read, written, changed, unchanged, refused."""
    found = re.findall(r"^(info_\w+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)$", output, re.MULTILINE)
    return {name: [*map(int, numbers)] for name, *numbers in found}


def test_accounts_come_before_news_and_a_second_run_changes_nothing(transfer: Command, tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("".join(dump(3)))
    looked = transfer("import", "--dry-run", "a.sql")
    written = transfer("import", "a.sql")
    assert (looked.returncode, written.returncode, written.stderr.count("Error")) == (0, 0, 0)
    # The dry run knows, too, who will be the same person.
    assert looked.stdout.replace(" (dry run, nothing written)", "") == written.stdout
    assert rows(written.stdout) == {name: [3, 3, 0, 0, 0] for name in ("info_user", "info_news", "info_comment")}
    assert "skipped" not in written.stdout
    assert "author" not in written.stdout
    again = transfer("import", "a.sql")
    assert rows(again.stdout) == {name: [3, 0, 0, 3, 0] for name in ("info_user", "info_news", "info_comment")}


def test_options_reach_the_imports(transfer: Command, tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("INSERT INTO info_user (id,mobile,is_admin) VALUES (1,'13800138001',1);")
    done = transfer("import", "--with-roles", "--time-zone", "UTC", "a.sql")
    assert "is an administrator as soon as" in done.stdout
    assert "not a time zone" in transfer("import", "--time-zone", "Mars", "a.sql").stderr


def test_a_host_is_kept_only_where_the_content_policy_names_it(transfer: Command, tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("".join(dump(1)).replace(",NULL,NULL,1,0", PICTURE))
    refused = transfer("import", "--keep-host", "img.example.com", "a.sql")
    assert (refused.returncode, "Set NEWS_IMAGE_HOSTS=img.example.com" in refused.stderr) == (2, True)
    hosts = {"NEWS_IMAGE_HOSTS": "img.example.com"}
    kept = transfer("import", "--keep-host", "img.example.com", "a.sql", settings=hosts)
    assert rows(kept.stdout)["info_news"] == [1, 1, 0, 0, 0]
    assert "'https://img.example.com/1.jpg'" in transfer("export").stdout


def test_a_wrong_file_stops_both_imports(transfer: Command, tmp_path: Path) -> None:
    (tmp_path / "good.sql").write_text("".join(dump(1)))
    (tmp_path / "bad.sql").write_text("INSERT INTO info_news VALUES (1,'")
    done = transfer("import", "good.sql", "bad.sql")
    assert (done.returncode, "Nothing was written" in done.stderr) == (1, True)
    assert rows(transfer("import", "good.sql").stdout)["info_user"] == [1, 1, 0, 0, 0]


def test_what_leaves_one_site_arrives_at_another(transfer: Command, tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("".join(dump(3)))
    transfer("import", "a.sql")
    exported = transfer("export", "--output", "out.sql")
    assert "personal data" in exported.stderr
    assert (tmp_path / "out.sql").stat().st_mode & 0o077 == 0
    assert "exists already" in transfer("export", "--output", "out.sql").stderr
    arrived = transfer("import", "out.sql", data="other")
    assert rows(arrived.stdout) == {name: [3, 3, 0, 0, 0] for name in ("info_user", "info_news", "info_comment")}
    assert transfer("export", data="other").stdout == (tmp_path / "out.sql").read_text()


def test_samples_are_removed_by_one_command(transfer: Command) -> None:
    assert transfer("remove-samples").stdout == "0 sample articles removed.\n"


@pytest.mark.outside
def test_an_export_loads_into_a_real_mariadb(transfer: Command, tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("".join(dump(3)))
    transfer("import", "a.sql")
    sql = transfer("export").stdout
    server = make_url(os.environ["TEST_MARIADB_URL"])
    connection = pymysql.connect(
        host=str(server.host),
        port=int(server.port or 3306),
        user=server.username,
        password=str(server.password),
        client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE exported_here CHARACTER SET utf8mb4")
        try:
            cursor.execute("USE exported_here")
            cursor.execute(sql)
            while cursor.nextset():
                pass
            cursor.execute(
                "SELECT u.nick_name, u.mobile, n.content, c.content, c.parent_id FROM info_news n "
                "JOIN info_user u ON u.id = n.user_id JOIN info_comment c ON c.news_id = n.id ORDER BY n.id"
            )
            assert cursor.fetchall() == tuple(
                (f"p{n}", str(13800000000 + n), f"<p>it's {n}</p>", f"评论{n}", 2 if n == 3 else None)
                for n in (1, 2, 3)
            )
        finally:
            cursor.execute("DROP DATABASE exported_here")


def test_memory_does_not_grow_with_the_rows(transfer: Command, tmp_path: Path) -> None:
    most = []
    for people in (300, 1500):
        (tmp_path / "a.sql").write_text("".join(dump(people)))
        done = transfer("import", "a.sql", data=str(people), code=MEASURED)
        assert rows(done.stdout)["info_news"] == [people, people, 0, 0, 0]
        most.append(int(done.stdout.rpartition("most ")[2]))
    assert most[1] < most[0] * 1.15
