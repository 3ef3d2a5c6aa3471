"""Neural collaborative filtering, by name. Adding a variant: a module and an entry here."""

from collections.abc import Mapping

from shortlist_models.ncf.models import Gmf, Interaction, Mlp, NcfShape, NeuMf

NCF_MODELS: Mapping[str, type[Interaction]] = {"gmf": Gmf, "mlp": Mlp, "neumf": NeuMf}
"""Every model of the family."""

__all__ = ["NCF_MODELS", "Gmf", "Interaction", "Mlp", "NcfShape", "NeuMf"]
