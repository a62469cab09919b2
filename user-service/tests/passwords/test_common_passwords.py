import zlib
from importlib.metadata import version
from importlib.resources import files

import pytest
from make_common_passwords import build

from user_service.passwords.common_passwords import FILE, load_common_passwords

COMMON = load_common_passwords()


def test_the_shipped_list_is_what_the_script_makes():
    assert zlib.decompress(files("user_service.passwords").joinpath(FILE).read_bytes()) == build()


def test_the_list_is_as_long_as_it_should_be():
    words = [line.rpartition(b" ")[0].decode() for line in build().splitlines()]
    assert len(words) > 120_000
    assert sum(len(word) >= 8 for word in words) > 45_000
    assert {"jennifer", "zhidao", "我们", "5201314"} <= set(words)


def test_sources_and_licences_are_shipped_beside_it():
    text = files("user_service.passwords").joinpath("common_passwords.licence.txt").read_text()
    assert all(f"{name} {version(name)}" in text for name in ("zxcvbn", "jieba", "pypinyin"))
    assert text.count("Permission is hereby granted") == 3


@pytest.mark.parametrize("password", ["123456", "PASSWORD", "ｑｗｅｒｔｙ", "woaini", "87654321", "我们"])
def test_listed_ones_are_found_in_any_case(password):
    assert password in COMMON


@pytest.mark.parametrize(
    "password", ["", "\n", " ", "correct horse battery", "assword a\npassw", "123456\n", "qwertyqwert"]
)
def test_others_are_not(password):
    assert password not in COMMON


def test_words_are_found_within_a_text_with_their_ranks():
    found = dict(COMMON.words_at("xpassword1", 1))
    assert {5, 9, 10} <= set(found)
    assert found[9] == 1.0  # The second of all, and ten more: twelve, in quarters of a power of ten.
    assert found[9] < found[10] < 6
