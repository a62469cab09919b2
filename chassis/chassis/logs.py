"""JSON logs without secrets and whole mobile numbers."""

import json
import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from functools import lru_cache, partial
from typing import Any  # structlog's event dictionary holds anything.

import structlog

from chassis.addresses import stored_prefix
from chassis.tracing import current_trace

_SECRET_NAMES = re.compile(
    r"password|passwd|secret|token|authorization|cookie|api.?key|private.?key|(^|[_-])(code|key|text|answer)$", re.I
)
_STATUS_NAMES = frozenset({"code", "status_code", "exit_code"})
_ERROR_CODE = re.compile(r"[a-z_]+|[1-5][0-9]{2}|-?[0-9]{1,2}")  # SMS codes have six digits.
_MOBILE = re.compile(
    r"(?:(?<![0-9A-Za-z])(?<![0-9]\.)|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt]))"  # Also after %2B and a quoted line end.
    r"(?:(?:(?:\+|00)?86[ -]?)?\(?1[3-9][0-9]\)?[ .-]?(?:[0-9]{4}[ .-]?[0-9]{4}|[0-9]{3}[ .-]?[0-9]{5})"
    r"|(?:\+|00)[1-9](?:[ ().-]{0,2}[0-9]){7,14})(?![0-9A-Za-z])"
)
_OPAQUE = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*|(?<=[Bb]earer )[A-Za-z0-9._~+/=-]{16,}")
_URL_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^/\s]+@")
MASK = "[masked]"
Event = MutableMapping[str, Any]
_OUR_OWN = frozenset({"timestamp", "seconds", "trace_id", "span_id"})  # Never a client's text.
_HARMLESS_ID = re.compile(r"[0-9A-Za-z]{18,}")  # Longer than any mobile, and without the signs of tokens and addresses.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def mask_text(text: str) -> str:
    """Hide what must not be read in a log: four digits of mobiles, JWTs, bearer tokens, passwords inside addresses."""
    return _MOBILE.sub(_hide_digits, _OPAQUE.sub(MASK, _URL_PASSWORD.sub(rf"\1{MASK}@", text)))


def _hide_digits(mobile: re.Match[str]) -> str:
    text = mobile[0]
    hidden = [place for place, sign in enumerate(text) if sign.isdigit()][-8:-4]
    return "".join("*" if place in hidden else sign for place, sign in enumerate(text))


def _mask(name: str, value: Any) -> Any:
    if _SECRET_NAMES.search(name) and not (name in _STATUS_NAMES and _ERROR_CODE.fullmatch(str(value))):
        return MASK
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, dict):
        return {mask_text(str(key)): _mask(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_mask("", inner) for inner in value]
    text = value if isinstance(value, str) else repr(value)
    masked = mask_text(text)
    return value if isinstance(value, int) and masked == text else masked


def mask_event(_logger: object, _method: str, event: Event) -> Event:
    """Mask every value of a log line; a structlog processor. (Names with ``_`` are structlog's own, never printed.)"""
    return {name: value if name.startswith("_") else _mask(name, value) for name, value in event.items()}


def line_processors(service: str, *, whole_addresses: bool = False) -> list[Any]:
    """List the processors of every log line of a service, masking last.

    The address of a client, ``client_ip``, becomes its network: the last 8 bits of IPv4, the last 80 of IPv6 are gone.
    """

    def complete(_logger: object, _method: str, event: Event) -> Event:
        event["service"] = service
        if (trace := current_trace()) is not None:
            event["trace_id"], event["span_id"] = trace.trace_id, trace.span_id
        if "client_ip" in event and not whole_addresses:
            event["client_ip"] = stored_prefix(event["client_ip"])
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        complete,
        structlog.processors.format_exc_info,  # The plain form: the pretty ones print local variables, also secrets.
        mask_event,
    ]


@lru_cache(4096, typed=True)
def _masked_field(name: str, value: Any) -> str:
    return f"{_encode(name)}:{_encode(_mask(name, value))}"


def _request_field(name: str, value: Any) -> str:
    if name in _OUR_OWN or (name == "request_id" and _HARMLESS_ID.fullmatch(value)):
        return f'"{name}":{_encode(value)}'
    return _masked_field(name, value)  # All others are of few values.


def _write_request(write: Callable[[str], object], _logger: object, _method: str, event: Event) -> Event:
    """Mask, render and write the line ``request`` as the other processors would; the values are texts and numbers.

    It is not flushed: stderr may be a batch (deploy/serving/log_lines.py), which every other line flushes.
    """
    if event["event"] != "request" or "exc_info" in event:
        return event
    write("{" + ",".join([_request_field(name, value) for name, value in event.items()]) + "}\n")
    raise structlog.DropEvent


def configure_logs(service: str, level: str = "INFO", *, client_addresses: str = "masked") -> None:
    """Write one JSON object per line to stderr, also for the libraries' own logs."""
    shared = line_processors(service, whole_addresses=client_addresses == "whole")
    renderer = structlog.processors.JSONRenderer(ensure_ascii=False, separators=(",", ":"))
    threshold = logging.getLevelNamesMapping()[level]
    structlog.configure(
        processors=[*shared[:-2], partial(_write_request, sys.stderr.write), *shared[-2:], renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(stream=sys.stderr, level=max(threshold, logging.WARNING), force=True)
    formatter = structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared)
    logging.getLogger().handlers[0].setFormatter(formatter)
