"""The answers of captchas in Redis, as plain text, for minutes."""

from dataclasses import dataclass

from redis import Redis

from chassis.redis_client import redis_errors

_PREFIX = "captcha:answer:"


@dataclass(frozen=True)
class RedisAnswerStore:
    """Stores each captcha's answer until it is taken or expires.

    Every method raises `chassis.errors.DependencyUnavailable` while Redis is away, so captchas fail closed.
    """

    redis: Redis

    def put_answer(self, captcha_id: str, answer: str, *, ttl_seconds: int) -> None:
        """Store an answer, in place of an older one under the same id."""
        with redis_errors():
            self.redis.set(_PREFIX + captcha_id, answer, ex=ttl_seconds)

    def peek(self, captcha_id: str) -> str | None:
        """Read an answer and leave it there, for drawing; None for an unknown or expired id."""
        with redis_errors():
            answer: str | None = self.redis.get(_PREFIX + captcha_id)  # type: ignore[assignment]
        return answer

    def take_answer(self, captcha_id: str) -> str | None:
        """Read and remove an answer in one step, so that only one of many callers gets it; None as in `peek`."""
        with redis_errors():
            answer: str | None = self.redis.getdel(_PREFIX + captcha_id)  # type: ignore[assignment]
        return answer

    def drop_answer(self, captcha_id: str) -> None:
        """Remove an answer, if there is one."""
        with redis_errors():
            self.redis.delete(_PREFIX + captcha_id)
