"""The operator's words that hold or refuse what people write."""

import enum


class Verdict(enum.Enum):
    """What becomes of a text: published, held for a review, or refused."""

    PASS = "pass"
    HOLD = "hold"
    REFUSE = "refuse"


class WordList:
    """A list without any word."""

    def check(self, _text: str) -> Verdict:
        """Judge a text."""
        return Verdict.PASS
