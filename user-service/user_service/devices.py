"""The client behind the request in hand, as its session keeps it."""

from flask import request

from chassis.identity import client_ip
from user_service.addresses import stored_prefix
from user_service.grants import Device

_LONGEST_USER_AGENT = 256


def current_device() -> Device:
    """Describe the client: its user agent, cut and printable, and the network it calls from."""
    offered = request.headers.get("User-Agent", "")
    printable = "".join(character for character in offered if character.isprintable())
    return Device(user_agent=printable[:_LONGEST_USER_AGENT], ip_prefix=stored_prefix(client_ip()))
