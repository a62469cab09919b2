"""The one queue message: which job to send. It has no mobile and no code; both stay encrypted in Redis."""

import json
from dataclasses import asdict, dataclass

VERSION = 1
_LONGEST_BYTES = 4096


class JobMalformed(Exception):
    """The body is not a job of a version that we know."""


@dataclass(frozen=True)
class SendJob:
    """One text to send. ``exp`` is the Unix second at which its code expires, ``attempt`` counts from 0.

    ``traceparent`` hands the trace of the request to the worker; messages of earlier versions have none.
    """

    id: str
    mobile_hash: str
    attempt: int
    exp: int
    request_id: str
    traceparent: str = ""

    def to_body(self) -> str:
        """Write the message body."""
        return json.dumps({"v": VERSION, **asdict(self)}, separators=(",", ":"))

    @classmethod
    def from_body(cls, body: str | bytes) -> "SendJob":
        """Read a message body.

        Raises:
            JobMalformed: not JSON, another version, too long, or a field is missing or of a wrong type.
        """
        try:
            fields = json.loads(body) if len(body) <= _LONGEST_BYTES else None
        except (ValueError, RecursionError) as error:
            raise JobMalformed("not JSON") from error
        if not isinstance(fields, dict) or fields.pop("v", None) != VERSION:
            raise JobMalformed("not a job of version 1")
        kinds = {name: type(value) for name, value in ({"traceparent": ""} | fields).items()}
        if kinds != cls.__annotations__:
            raise JobMalformed("wrong fields")
        return cls(**fields)
