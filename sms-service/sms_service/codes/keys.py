"""The names of the Redis keys. All keys of one mobile share the hash tag ``{mobile_hash}``."""

import ipaddress


def job_key(mobile_hash: str, job_id: str) -> str:
    """Name the hash of one job: its state, digest and sealed texts."""
    return f"sms:job:{{{mobile_hash}}}:{job_id}"


def job_reference_key(job_id: str) -> str:
    """Name what finds a job's hash by the job's id alone, as receipts may."""
    return f"sms:ref:job:{job_id}"


def message_reference_key(provider: str, message_id: str) -> str:
    """Name what finds a job's hash by a provider's id of the text, as receipts do."""
    return f"sms:ref:{provider}:{message_id}"


def pointer_prefix(mobile_hash: str) -> str:
    """Begin the name of the pointers of a mobile; the purpose follows."""
    return f"sms:otp:{{{mobile_hash}}}:"


def cooldown_prefix(mobile_hash: str) -> str:
    """Begin the name of the cooldowns of a mobile; the purpose follows."""
    return f"sms:cool:{{{mobile_hash}}}:"


def mobile_sends_key(mobile_hash: str) -> str:
    """Name the log of a mobile's sends (sorted set: job id by time) that the limits count."""
    return f"sms:sends:{{{mobile_hash}}}"


def ip_sends_key(address: str) -> str:
    """Name the log of an address's sends. An IPv6 client owns a whole /64, so that is what is counted."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "sms:sends:ip:unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ipaddress.IPv6Address(int(ip) >> 64 << 64)
    return f"sms:sends:ip:{ip}"
