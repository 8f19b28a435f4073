"""Where outgoing webhooks may go: to public addresses over TLS, so that an endpoint in settings opens no door inside.

The name is resolved once and the connection made to the address that was judged: a name that answers differently
the second time gains nothing. Redirects are not followed.
"""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from worker.domain.errors import InvalidInput, ProviderUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A judged endpoint: the URL with its address in place of the name, and the name."""

    url: str
    host: str
    """With its port, as the Host header has it."""
    server_name: str
    """For TLS."""


def target_of(
    url: str,
    *,
    allowed_hosts: frozenset[str] = frozenset(),
    local: bool = False,
    permission: str = "name it in alerting.allowed_hosts",
) -> Target:
    """Judge an endpoint and resolve it.

    In the local environment, and for hosts that the settings allow, http and inner addresses will do; `permission`
    says in the refusal how the settings do that. Raises
    InvalidInput for an endpoint that may not be reached, ProviderUnavailable when its name does not resolve.
    """
    try:
        parts = urlsplit(url)
        name, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidInput("the endpoint is not a URL like https://host/path") from None
    if not name or parts.scheme not in {"http", "https"} or parts.username or parts.password:
        raise InvalidInput("the endpoint is not a URL like https://host/path, without a user")
    trusted = local or name.lower() in allowed_hosts
    if parts.scheme != "https" and not trusted:
        raise InvalidInput(f"the endpoint on {name} is not https")
    addresses = _resolved(name, port or (443 if parts.scheme == "https" else 80))
    if not trusted and (inner := [address for address in addresses if not _public(address)]):
        raise InvalidInput(f"{name} resolves to {inner[0]}, which is not public; {permission} if that is meant")
    address = addresses[0]
    literal = f"[{address}]" if ":" in address else address
    judged = urlunsplit((parts.scheme, f"{literal}:{port}" if port else literal, parts.path or "/", parts.query, ""))
    host = f"[{name}]" if ":" in name else name
    return Target(url=judged, host=f"{host}:{port}" if port else host, server_name=name)


def _resolved(name: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ProviderUnavailable(f"the name {name[:100]} does not resolve") from None
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))


def _public(address: str) -> bool:
    """Tell whether an address is out on the internet; one that wraps another is judged by what it wraps."""
    judged = ipaddress.ip_address(address)
    if isinstance(judged, ipaddress.IPv6Address):
        inner = judged.ipv4_mapped or judged.sixtofour or (judged.teredo[1] if judged.teredo else None)
        if inner is None and judged in _NAT64:
            inner = ipaddress.IPv4Address(int(judged) & 0xFFFFFFFF)
        if inner is not None:
            return _public(str(inner))
    return judged.is_global and not judged.is_multicast


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
