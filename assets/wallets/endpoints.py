"""The endpoints of a chain, in the order in which they are asked: the owner's own, then the public ones.

Belongs here: joining the two lists. Must not be here: the environment (orchestration/settings.py reads it), labels and
secrets of addresses (assets/network/endpoints.py), calls.
"""

from collections.abc import Mapping, Sequence

from assets.network.endpoints import Endpoint, endpoints_of
from assets.registry.chains import Chain


def chain_endpoints(
    chain: Chain, own_urls: Mapping[str, Sequence[str]], *, is_public_asked: bool
) -> tuple[Endpoint, ...]:
    """Endpoints of one chain; one that stands in both lists is asked once, at its first place.

    Args:
        chain: the chain.
        own_urls: addresses of the owner's own by chain slug, each in order, as the settings hold them.
        is_public_asked: whether public endpoints may be asked; when not, a chain without its own has none.

    Raises:
        EndpointError: an address is not of the form http(s)://host….
    """
    public = chain.public_urls if is_public_asked else ()
    return endpoints_of((*own_urls.get(chain.slug, ()), *public))
