"""Candidate sources, by name. Adding one: a module here, an entry here, a maker in the contract test."""

from collections.abc import Callable, Mapping

from shortlist_domain.stages import Source
from shortlist_retrieval.loading import LoadedBundle
from shortlist_retrieval.sources.base import CandidateSource
from shortlist_retrieval.sources.content import ContentSource
from shortlist_retrieval.sources.item_neighbours import ItemNeighboursSource
from shortlist_retrieval.sources.newest import NewestSource
from shortlist_retrieval.sources.popular import PopularSource
from shortlist_retrieval.sources.two_tower import TwoTowerSource

SOURCES: Mapping[Source, Callable[[LoadedBundle], CandidateSource]] = {
    Source.TWO_TOWER: TwoTowerSource,
    Source.ITEM_NEIGHBOURS: ItemNeighboursSource,
    Source.POPULAR: PopularSource,
    Source.CONTENT: ContentSource,
    Source.NEWEST: NewestSource,
}
"""Every source there is, in the order in which answers list them."""
