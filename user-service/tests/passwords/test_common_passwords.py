import zlib
from importlib.resources import files

import pytest
from make_common_passwords import build

from user_service.passwords.common_passwords import FILE, load_common_passwords

COMMON = load_common_passwords()


def test_the_shipped_list_is_what_the_script_makes():
    assert zlib.decompress(files("user_service.passwords").joinpath(FILE).read_bytes()) == build()


def test_the_list_is_as_long_as_it_should_be():
    assert len(build().splitlines()) > 90_000
    assert sum(len(word.decode()) >= 8 for word in build().splitlines()) > 40_000


def test_source_and_licence_are_shipped_beside_it():
    text = files("user_service.passwords").joinpath("common_passwords.licence.txt").read_text()
    assert "zxcvbn 4.5.0" in text
    assert "MIT License" in text


@pytest.mark.parametrize("password", ["123456", "PASSWORD", "ｑｗｅｒｔｙ", "qwertyqwerty", "monkeymonkey", "87654321"])
def test_listed_ones_are_found_in_any_case_and_repeated(password):
    assert password in COMMON


@pytest.mark.parametrize("password", ["", "\n", "correct horse battery", "assword\npassw", "123456\n", "qwertyqwert"])
def test_others_are_not(password):
    assert password not in COMMON
