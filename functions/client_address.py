"""Who called: the address of the connection, or what a known number of our own proxies wrote down.

X-Forwarded-For grows to the right: each proxy adds whom it was called by. With N proxies of ours in front, the
N-th entry from the right was written by the outermost of them and everything left of it by the caller, who may
have made it up. So the count decides, never the first entry. An address that cannot be read is nobody's.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def client_address(remote: str, forwarded_for: str, trusted_proxies: int) -> Address | None:
    """Return the caller's address: `remote` is the connection's, `forwarded_for` the header's text."""
    chain = [*(forwarded_for.split(",") if forwarded_for else []), remote]
    if len(chain) <= trusted_proxies:
        return None
    try:
        address = ip_address(chain[-1 - trusted_proxies].strip())
    except ValueError:
        return None
    # A socket that serves both families shows IPv4 callers as ::ffff:a.b.c.d.
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def network(text: str) -> Network:
    """Read a network, `203.0.113.0/24` or `2001:db8::/32`. Raises ValueError, also when host bits are set."""
    return ip_network(text)


def within(address: Address | None, networks: Sequence[Network]) -> bool:
    """Tell whether `address` lies in one of `networks`."""
    return address is not None and any(address in allowed for allowed in networks)
