from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from make_look_alikes import build

from chassis.errors import RequestInvalid
from user_service.accounts.nick_names import checked_nick_name
from user_service.accounts.reserved_names import FILE

TABLE = files("user_service.accounts").joinpath(FILE).read_text(encoding="utf-8")
LOOK_ALIKES = {line[0]: line[2:] for line in TABLE.splitlines()}


def is_refused(name):
    try:
        checked_nick_name(name)
    except RequestInvalid as refused:
        return refused.errors[0].code == "reserved"
    return False


def test_the_shipped_table_is_what_the_script_makes():
    assert build() == TABLE


@pytest.mark.parametrize(
    "name",
    [
        "admin",
        "Admin",
        "a\u034fdmin",
        "ad\u200bmin",
        "ad\u2800min",
        "\u0430dmin",  # Cyrillic a
        "аԁⅿіո",
        "ADМIN",
        "ad\u0301min",
        "ａｄｍｉｎ",
        "𝐚𝐝𝐦𝐢𝐧",
        "ⓐⓓⓜⓘⓝ",
        "a.d.m.i.n",
        "ad min",
        "adm1n",
        "adm|n",
        "4dm1n",
        "@dmin",
        "admin!",
        "Admin 007",
        "adrnin",
        "admin李雷",
        "The Administrator",
        "root",
        "管理员",
        "管理員",
        "菅理员",
        "管 理-员",
        "管\u200b理员",
        "系统管理员1",
        "官方",
        "客 服",
        "新经资讯",
        "新經資訊官方",
        "新·经·资·讯",
        "XinJing",
        "х1njing",
        "xinjing8",
        "xjzx",
        "已注销用户(1)",
    ],
    ids=ascii,
)
def test_what_could_be_the_site_or_its_staff_is_refused(name):
    assert is_refused(name)


@pytest.mark.parametrize(
    "name",
    [
        "badminton",
        "Radmin",
        "Adam",
        "Domain",
        "Amin 9",
        "Li Xinjing",
        "Solar System",
        "五官方正",
        "乘客服务",
        "新经济",
        "管理学",
    ],
)
def test_a_name_that_only_holds_the_letters_is_free(name):
    assert not is_refused(name)


WORDS = st.sampled_from(["admin", "administrator", "xinjing", "root"])


@given(WORDS, st.data())
def test_no_look_alike_of_a_reserved_name_is_free(word, data):
    disguised = "".join(data.draw(st.sampled_from([each, each.upper(), *LOOK_ALIKES.get(each, "")])) for each in word)
    separators = st.sampled_from(["", ".", "-", "\u2800", "\u200b", "\u0301"])
    assert is_refused("".join(each + data.draw(separators) for each in disguised))
