from datetime import datetime, timedelta

from news_service.articles.ranking import hot_score


def test_ten_times_the_engagement_is_worth_36_hours(now: datetime) -> None:
    old = hot_score(views=9 * 20, likes=0, commenters=0, published_at=now - timedelta(hours=36))
    assert old == hot_score(views=0, likes=0, commenters=0, published_at=now)
