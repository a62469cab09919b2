"""The order of the hot list: attention against age, stored once as an integer."""

import math
from datetime import datetime

_WINDOW_SECONDS = 36 * 3600
_SCALE = 1_000_000


def hot_score(*, views: int, likes: int, commenters: int, published_at: datetime) -> int:
    """Score an article: ten times the attention is worth 36 hours.

    The form is that of Lobsters (log of the attention plus the age in windows), which does not have to be recomputed
    as time passes; the weights are ours. ``commenters`` are different people, without the author. An integer, so that
    cursors compare exactly on every database.
    """
    attention = 1 + views / 20 + 3 * likes + 5 * commenters
    return round((math.log10(attention) + published_at.timestamp() / _WINDOW_SECONDS) * _SCALE)
