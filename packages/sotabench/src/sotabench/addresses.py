"""Which addresses belong to the public internet, and may be connected to for a stranger."""

import ipaddress

_PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC = [
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10",  # of carriers; one cloud's metadata service lies here
        "168.63.129.16/32",  # another cloud's host, looks public and is not
        "192.0.0.0/24",
        "192.88.99.0/24",
        "2001::/23",  # Teredo and other protocols' own
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "3fff::/20",
        "64:ff9b::/96",  # NAT64: the same
        "64:ff9b:1::/48",
    )
]


def unmapped(address: str) -> str:
    """An IPv4 address that is written as IPv6 (`::ffff:203.0.113.7`) as itself; everything else as it is."""
    try:
        found = ipaddress.IPv6Address(address).ipv4_mapped
    except ValueError:
        return address
    return str(found) if found else address


def is_public(address: str) -> bool:
    """Whether it is an address of the public internet.

    Addresses that carry another one inside (mapped, NAT64, 6to4, Teredo) are never taken, whatever they carry.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and (found.scope_id is not None or found not in _PUBLIC_IPV6):
        return False
    if not found.is_global or found.is_multicast or found.is_reserved or found.is_link_local:
        return False
    return not any(found in network for network in _NOT_PUBLIC)
