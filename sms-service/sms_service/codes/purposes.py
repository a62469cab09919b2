"""What a text is about (the purpose of its code, or a notice without a code), and its language."""

import enum


class Language(enum.StrEnum):
    """The languages of the texts (BCP 47)."""

    ZH = "zh"
    EN = "en"


class Purpose(enum.StrEnum):
    """The purposes of the public contract."""

    REGISTER = "register"
    LOGIN = "login"
    RESET_PASSWORD = "reset_password"
    CHANGE_MOBILE = "change_mobile"
    REAUTHENTICATE = "reauthenticate"

    @property
    def is_bound_to_user(self) -> bool:
        """Say whether the code belongs to the signed-in user who asked for it."""
        return self in (Purpose.CHANGE_MOBILE, Purpose.REAUTHENTICATE)

    @property
    def guess_group(self) -> str:
        """Name the purposes that share one count of wrong tries.

        There are two groups, so that a stranger's wrong tries cannot lock the codes of a signed-in user.
        """
        return "user" if self.is_bound_to_user else "anybody"


class Notice(enum.StrEnum):
    """What an owner is told of their account. No code belongs to it, so it can be neither asked for nor checked."""

    PASSWORD_CHANGED = "password_changed"
    MOBILE_CHANGED = "mobile_changed"  # Goes to the old mobile.


GUESS_GROUPS = frozenset(purpose.guess_group for purpose in Purpose)
