"""The endpoints of a chain, in the order in which they are asked: the owner's own, then the public ones.

Belongs here: joining the two lists. Must not be here: the environment (orchestration/settings.py reads it), labels and
secrets of addresses (assets/network/endpoints.py), calls.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from assets.network.endpoints import Endpoint, endpoints_of
from assets.registry.chains import Chain
from assets.registry.other_chains import OtherChain


def chain_endpoints(
    chain: Chain | OtherChain,
    own_urls: Mapping[str, Sequence[str]],
    *,
    is_public_asked: bool,
    instead: Mapping[str, str] | None = None,
) -> tuple[Endpoint, ...]:
    """Endpoints of one chain; one that stands in both lists is asked once, at its first place.

    Args:
        chain: the chain.
        own_urls: addresses of the owner's own by chain slug, each in order, as the settings hold them.
        is_public_asked: whether public endpoints may be asked; when not, a chain without its own has none.
        instead: by source (`esplora`, `solana`), the scheme and host that replace those of the public endpoints, paths
            kept, as the settings hold them. What the owner put there is asked also when public ones are not.

    Raises:
        EndpointError: an address is not of the form http(s)://host….
    """
    replacement = (instead or {}).get(chain.endpoint_source) if isinstance(chain, OtherChain) else None
    if replacement is not None:
        public: Sequence[str] = [replacement.rstrip("/") + urlsplit(url).path for url in chain.public_urls]
    else:
        public = chain.public_urls if is_public_asked else ()
    return endpoints_of((*own_urls.get(chain.slug, ()), *public))
