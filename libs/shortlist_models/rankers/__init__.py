"""Rankers, by name. Adding one: a subclass of :class:`Ranker`, an entry here, its name in the trainer's setting."""

from collections.abc import Callable, Mapping
from functools import partial

from shortlist_models.ncf import Gmf, Mlp, NeuMf
from shortlist_models.rankers.base import Ranker, RankerShape, Structure
from shortlist_models.rankers.dcn import DcnRanker
from shortlist_models.rankers.ncf import NcfRanker
from shortlist_models.rankers.served import ServedRanker

RANKERS: Mapping[str, Callable[[RankerShape], Ranker]] = {
    "dcn_low_rank": partial(DcnRanker, is_low_rank=True),
    "dcn": partial(DcnRanker, is_low_rank=False),
    "gmf": partial(NcfRanker, kind=Gmf),
    "mlp": partial(NcfRanker, kind=Mlp),
    "neumf": partial(NcfRanker, kind=NeuMf),
}
"""Every ranker."""

STRUCTURED = frozenset(("dcn_low_rank", "dcn"))
"""Those that know more structures than the parallel one."""

__all__ = ["RANKERS", "STRUCTURED", "DcnRanker", "NcfRanker", "Ranker", "RankerShape", "ServedRanker", "Structure"]
