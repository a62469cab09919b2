"""The names of the Redis keys. All keys of one mobile share the hash tag ``{mobile_hash}``."""

from ipaddress import ip_network

from chassis.addresses import UNKNOWN, client_network

BUDGET_PREFIX = "sms:budget:"  # The counters of all texts together; the kind and the number of the window follow.
WAITING_KEY = "sms:waiting"  # The log of the sends that no worker has claimed yet.
WORKERS_KEY = "sms:workers"  # The living workers (sorted set: worker by its last heartbeat).
# Three keys without an expiry: the switch (a hash) stays on until somebody turns it off; the ms of its last change; and
# since when Redis holds data (a hash), which tells that Redis has lost them.
KILL_SWITCH_KEY = "sms:kill_switch"
KILL_SWITCH_CHANGED_KEY = "sms:kill_switch:changed"
DATA_KEY = "sms:data"


def job_key(mobile_hash: str, job_id: str) -> str:
    """Name the hash of one job: its state, digest and sealed texts."""
    return f"sms:job:{{{mobile_hash}}}:{job_id}"


def job_reference_key(job_id: str) -> str:
    """Name the key that leads from a job's id to its hash; a receipt may know the id alone."""
    return f"sms:ref:job:{job_id}"


def message_reference_key(provider: str, message_id: str) -> str:
    """Name the key that leads from a provider's message id to the hash of the job; most receipts know this id."""
    return f"sms:ref:{provider}:{message_id}"


def current_code_prefix(mobile_hash: str) -> str:
    """Begin the names of the keys that hold the job id of a mobile's valid code; the purpose follows."""
    return f"sms:otp:{{{mobile_hash}}}:"


def cooldown_prefix(mobile_hash: str) -> str:
    """Begin the names of the cooldowns of a mobile; the purpose follows."""
    return f"sms:cool:{{{mobile_hash}}}:"


def mobile_sends_key(mobile_hash: str) -> str:
    """Name the log of a mobile's sends (sorted set: send by time) that the limits count."""
    return f"sms:sends:{{{mobile_hash}}}"


def unanswered_sends_prefix(mobile_hash: str) -> str:
    """Begin the names of the logs of a mobile's sends since its last right code; the purpose follows."""
    return f"sms:unanswered:{{{mobile_hash}}}:"


def guesses_key(mobile_hash: str, group: str) -> str:
    """Name the hash of a mobile's wrong tries since its last right code, over all codes of a group of purposes."""
    return f"sms:guesses:{{{mobile_hash}}}:{group}"


def notices_key(mobile_hash: str) -> str:
    """Name the log of the notices to a mobile."""
    return f"sms:notices:{{{mobile_hash}}}"


def block_sends_key(block_hash: str) -> str:
    """Name the log of the sends to a block of numbers."""
    return f"sms:sends:block:{block_hash}"


def block_unverified_key(block_hash: str) -> str:
    """Name the log of those sends to a block whose code nobody has entered."""
    return f"sms:unverified:block:{block_hash}"


def ip_sends_key(address: str) -> str:
    """Name the log of an address's sends."""
    return f"sms:sends:ip:{client_network(address)}"


def ip_unverified_key(address: str) -> str:
    """Name the log of those sends of an address whose code nobody has entered."""
    return f"sms:unverified:ip:{client_network(address)}"


def network_of(address: str) -> str:
    """Name the network of an address: its IPv4 /24 or IPv6 /56, which one customer often has (RFC 6177)."""
    shortest = client_network(address)
    if shortest == UNKNOWN:
        return UNKNOWN
    return str(ip_network(f"{shortest}/{56 if ':' in shortest else 24}", strict=False))


def network_sends_key(address: str) -> str:
    """Name the log of the sends of an address's network."""
    return f"sms:sends:network:{network_of(address)}"


def network_unverified_key(address: str) -> str:
    """Name the log of those sends of a network whose code nobody has entered."""
    return f"sms:unverified:network:{network_of(address)}"


def block_asked_key(block_hash: str) -> str:
    """Name the hash of what was refused to a block during an alarm."""
    return f"sms:asked:block:{block_hash}"


def network_asked_key(address: str) -> str:
    """Name the hash of what was refused to a network during an alarm."""
    return f"sms:asked:network:{network_of(address)}"


def alarm_key(country: str) -> str:
    """Name the time (ms since 1970) at which a country's alarm of SMS pumping began; it expires with the alarm."""
    return f"sms:alarm:{country}"


def country_prefix(country: str) -> str:
    """Begin the names of the counters of a country; the kind and the number of the window follow."""
    return f"sms:country:{country}:"
