"""Articles and comments for measurements: any number, always the same for one seed, quickly made.

Texts are sentences of two-character words. A word's frequency falls with its rank, as in real texts; a sentence of each
article is its own, the others come from a stock whose terms are known, because finding them takes the most time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Any

from news_service.articles.ranking import hot_score
from news_service.articles.tables import APPROVED, DRAFT, IN_REVIEW, WITHDRAWN
from news_service.search.index import position_of
from news_service.search.terms import index_terms

LAST_MOMENT = datetime(2026, 11, 1, tzinfo=UTC)
AUTHORS = 10_000
COMMENTS_PER_ARTICLE = 5
SECONDS_APART = 60
_SYLLABLES = (
    "中国上海北京市场经济公司银行金融股票债券基金投资企业发展科技创新芯片能源汽车房地产业政策改革增长数据价格"
    "消费贸易出口进口制造服务平台智能网络信息安全环境保护交通物流医药健康教育文化旅游农村粮食石油黄金汇率利率"
)
_SENTENCES, _WORDS_PER_SENTENCE, _SENTENCES_PER_ARTICLE = 30_000, 14, 20


@dataclass(frozen=True)
class _Sentence:
    text: str
    terms: frozenset[str]


@dataclass(frozen=True)
class ArticleRows:
    """The rows of one article: its own, its comments, and that of the search if it is approved."""

    article: dict[str, Any]
    comments: list[dict[str, Any]]
    search: dict[str, Any] | None


class NewsRows:
    """Makes the rows of ``count`` articles, the oldest first; ids begin at 1."""

    def __init__(self, count: int, *, until: datetime = LAST_MOMENT, seed: int = 1) -> None:
        self._count, self._until = count, until
        self._random = Random(seed)
        pairs = [first + second for first in _SYLLABLES for second in _SYLLABLES]
        self.words = self._random.sample(pairs, len(pairs))
        self._weights = list(accumulate(1 / (rank + 5) for rank in range(len(self.words))))
        stock = min(_SENTENCES, 30 * count + 100)
        self._sentences = [self._sentence(weights=self._weights) for _ in range(stock)]

    def __iter__(self) -> Iterator[ArticleRows]:
        for number in range(1, self._count + 1):
            yield self._article(number)

    def rare_word(self, number: int) -> str:
        """Return four characters of the sentence that only one article has."""
        return self._own_text(number)[:4]

    def _sentence(self, *, weights: list[float]) -> _Sentence:
        text = "".join(self._random.choices(self.words, cum_weights=weights, k=_WORDS_PER_SENTENCE))
        return _Sentence(text, frozenset(index_terms(f" | {text} ")))

    def _own_text(self, number: int) -> str:
        """Write a sentence of seldom characters, different for each number."""
        own = Random(number)
        return "".join(chr(own.randrange(0x5000, 0x9000)) for _ in range(12))

    def _article(self, number: int) -> ArticleRows:
        random = self._random
        chosen = random.choices(self._sentences, k=_SENTENCES_PER_ARTICLE)
        own, title, digest = self._own_text(number), chosen[0].text[:20], chosen[1].text
        texts = [own, *(sentence.text for sentence in chosen[2:])]
        published_at = self._until - timedelta(seconds=SECONDS_APART * (self._count - number))
        state = random.random()
        article = {
            "id": number,
            "title": title,
            "source": "新经资讯",
            "digest": digest,
            "content": "<p>" + "。</p><p>".join(texts) + "。</p>",
            "clicks": int(random.paretovariate(1)) % 1_000_000,
            "index_image_url": None,
            "category_id": random.randint(2, 6),
            "user_id": random.randint(1, AUTHORS),
            "status": APPROVED if state < 0.97 else IN_REVIEW if state < 0.98 else DRAFT if state < 0.99 else WITHDRAWN,
            "published_at": published_at,
            "create_time": published_at,
            "update_time": published_at,
            "submitted_at": published_at,
            "comment_count": COMMENTS_PER_ARTICLE,
            "version": 1,
            "ai_generated": False,
        }
        article["hot_score"] = hot_score(
            views=article["clicks"], likes=0, commenters=COMMENTS_PER_ARTICLE, published_at=published_at
        )
        search = None
        if article["status"] == APPROVED:
            terms = set(index_terms(f" {title} | {own} ")).union(*(sentence.terms for sentence in chosen[1:]))
            search = {
                "position": position_of(published_at, number),
                "news_id": number,
                "plain": f" {title} | {digest} {' '.join(texts)} ",
                "terms": " ".join(sorted(terms)),
            }
        return ArticleRows(article, self._comments(number, published_at), search)

    def _comments(self, number: int, published_at: datetime) -> list[dict[str, Any]]:
        """Make three comments, and two answers to the first one."""
        first = COMMENTS_PER_ARTICLE * (number - 1) + 1
        return [
            {
                "id": first + place,
                "user_id": self._random.randint(1, AUTHORS),
                "news_id": number,
                "content": self._sentences[(first + place) % len(self._sentences)].text[:20],
                "parent_id": first if place > 2 else None,
                "root_id": first if place > 2 else 0,
                "reply_count": 0 if place else 2,
                "like_count": self._random.randint(0, 9),
                "status": 0,
                "is_listed": True,
                "create_time": published_at,
                "update_time": published_at,
            }
            for place in range(COMMENTS_PER_ARTICLE)
        ]
