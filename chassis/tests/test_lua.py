from pathlib import Path

import pytest
from redis import Redis

from chassis.lua import load_script


@pytest.fixture
def module(tmp_path: Path) -> str:
    """The path of a module with two scripts beside it."""
    (tmp_path / "double.lua").write_text("local function double(number) return 2 * number end")
    (tmp_path / "answer.lua").write_text("return double(tonumber(ARGV[1]))")
    return str(tmp_path / "module.py")


def test_several_files_make_one_script(redis: Redis, module: str) -> None:
    assert load_script(redis, module, "double", "answer")(args=[21]) == 42


def test_a_script_without_a_file_is_an_error_at_once(redis: Redis, module: str) -> None:
    with pytest.raises(FileNotFoundError):
        load_script(redis, module, "nowhere")
