"""The words of a text, by its subject and language, and the ids of the templates that providers keep."""

import string
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from sms_service.codes.purposes import Language, Notice, Purpose

_ANY_PURPOSE = "default"
_CODE, _FIELDS = "code", {"code", "minutes"}
Tables = Mapping[str, Mapping[str, Mapping[str, str]]]


class TemplatesMalformed(Exception):
    """The file of templates cannot be read, or one of its texts cannot be used; the message says which."""


class Templates:
    """The shipped templates; the operator's own file may replace tables of them.

    ``own_file`` has the form of ``templates.toml``; each of its tables (as ``[aliyun.zh]``) replaces the shipped one.
    With ``web_otp_domain`` a text ends in the line by which browsers fill the code in for that site alone
    (https://wicg.github.io/sms-one-time-codes/).

    Raises:
        TemplatesMalformed: as it says.
    """

    def __init__(self, own_file: Path | None = None, *, web_otp_domain: str | None = None) -> None:
        shipped = tomllib.loads(files("sms_service").joinpath("templates.toml").read_text(encoding="utf-8"))
        own = _read_tables(own_file) if own_file else {}
        names = shipped.keys() | own.keys()
        self._tables: Tables = {name: {**shipped.get(name, {}), **own.get(name, {})} for name in names}
        self._web_otp_domain = web_otp_domain
        for language in Language:
            for purpose in Purpose:
                self.code_text(purpose, language, code="000000", valid_minutes=5)
            for notice in Notice:
                self.notice_text(notice, language)

    def code_text(self, purpose: Purpose, language: Language, *, code: str, valid_minutes: int) -> str:
        """Write the whole text of a code, sign included."""
        template = self.find_template("text", purpose, language)
        fields = {field for _, field, _, _ in _parse_template(template or "") if field is not None}
        if template is None or fields - _FIELDS or _CODE not in fields:
            raise TemplatesMalformed(f"[text.{language}] needs a usable {purpose}")
        text = template.format(code=code, minutes=valid_minutes)
        return f"{text}\n\n@{self._web_otp_domain} #{code}" if self._web_otp_domain else text

    def notice_text(self, notice: Notice, language: Language) -> str:
        """Write the whole text of a notice, sign included; nothing is filled in."""
        text = self.find_template("notice", notice, language)
        if text is None or any(field is not None for _, field, _, _ in _parse_template(text)):
            raise TemplatesMalformed(f"[notice.{language}] needs a usable {notice}")
        return text.format()

    def find_template(self, table_name: str, purpose: Purpose | Notice, language: Language) -> str | None:
        """Find a text, or a provider's template id. One in another language is better than none; None means none.

        ``default`` stands for codes alone, as its template takes a code.
        """
        tables = self._tables.get(table_name, {})
        for candidate in (language, *(other for other in Language if other != language)):
            table = tables.get(candidate, {})
            template = table.get(purpose) or (table.get(_ANY_PURPOSE) if isinstance(purpose, Purpose) else None)
            if template:
                return template
        return None


def _read_tables(path: Path) -> Tables:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TemplatesMalformed(f"{path.name}: {error}") from error
    for name, languages in tables.items():
        for language, table in languages.items() if isinstance(languages, dict) else [("", None)]:
            if language not in set(Language) or not isinstance(table, dict):
                raise TemplatesMalformed(f"{path.name}: [{name}] must hold a table for each language")
            if wrong := [key for key, value in table.items() if not isinstance(value, str)]:
                raise TemplatesMalformed(f"{path.name}: [{name}.{language}] {wrong[0]} must be a text")
    return tables


def _parse_template(template: str) -> list[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(string.Formatter().parse(template))
    except ValueError as error:
        raise TemplatesMalformed(f"{template!r}: {error}") from error
