"""All formats that can be imported, in the order in which help and errors list them.

Belongs here: the list. Must not be here: anything else.
"""

from assets.importers.canonical import CANONICAL
from assets.importers.ghostfolio import GHOSTFOLIO
from assets.importers.model import Formats
from assets.importers.portfolio_performance import PORTFOLIO_PERFORMANCE

FORMATS: Formats = (CANONICAL, GHOSTFOLIO, PORTFOLIO_PERFORMANCE)
