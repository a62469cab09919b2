"""Where the answers of captchas stand: Redis, as plain text, for minutes."""

from redis import Redis

from chassis.redis_client import redis_errors

_PREFIX = "captcha:answer:"


class RedisAnswerStore:
    """Keeps each captcha's answer until it is taken or expires.

    Every method raises `chassis.errors.DependencyUnavailable` while Redis is away, so captchas fail closed.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def put(self, captcha_id: str, answer: str, *, ttl_seconds: int) -> None:
        """Keep an answer; one that stood under the same id is gone."""
        with redis_errors():
            self._redis.set(_PREFIX + captcha_id, answer, ex=ttl_seconds)

    def look(self, captcha_id: str) -> str | None:
        """Read an answer and leave it where it is, for drawing; None for an unknown or expired id."""
        with redis_errors():
            answer: str | None = self._redis.get(_PREFIX + captcha_id)  # type: ignore[assignment]
        return answer

    def take(self, captcha_id: str) -> str | None:
        """Read and remove an answer in one step, so that only one of many callers ever gets it; None as in `look`."""
        with redis_errors():
            answer: str | None = self._redis.getdel(_PREFIX + captcha_id)  # type: ignore[assignment]
        return answer

    def drop(self, captcha_id: str) -> None:
        """Remove an answer, if it is there."""
        with redis_errors():
            self._redis.delete(_PREFIX + captcha_id)
