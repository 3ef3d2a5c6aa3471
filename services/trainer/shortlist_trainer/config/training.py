"""Settings of a training run, with their ranges; where their values come from is :mod:`shortlist_trainer.presets`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from shortlist_models.losses import LOSSES
from shortlist_trainer.config.ranking import CalibrationConfig, OrderConfig, RankerConfig
from shortlist_trainer.config.section import Section

LossName = Literal[
    "auto",
    "full_softmax",
    "sampled_softmax",
    "logq_softmax",
    "refined_logq_softmax",
    "uncorrected_softmax",
    "gbce",
]
NegativeSource = Literal["auto", "mixed", "uniform", "popularity", "in_batch", "hard", "cross_batch"]


class SplitConfig(Section):
    """Where time is cut."""

    train: float = Field(default=0.8, gt=0, lt=1)
    """Share of the events that models are fitted on."""

    validation: float = Field(default=0.1, gt=0, lt=1)
    """Share that follows, for calibration and choices; the rest is the test."""

    fit: float = Field(default=0.9, gt=0, lt=1)
    """Share of the training events for the retrieval models. The ranker learns from the events after them, so that it
    sees retrieval scores as they are for events that retrieval was not fitted on."""


class TwoTowerConfig(Section):
    """The two-tower retrieval model."""

    encoder: Literal["mean", "gru", "transformer"] = "gru"
    history_length: int = Field(default=50, ge=1, le=1000)
    width: int = Field(default=64, ge=4, le=512)
    layers: int = Field(default=1, ge=1, le=8)
    """Layers of the transformer; the other encoders have one."""

    heads: int = Field(default=2, ge=1, le=16)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    id_dropout: float = Field(default=0.05, ge=0, lt=1)
    category_dropout: float = Field(default=0.1, ge=0, lt=1)
    epochs: int = Field(default=10, ge=1, le=1000)
    learning_rate: float = Field(default=0.002, gt=0, le=1)
    weight_decay: float = Field(default=0.0, ge=0, le=1)
    queries_per_batch: int = Field(default=1024, ge=1, le=1_000_000)
    share: float = Field(default=0.5, gt=0, le=1)
    """Share of the events that are targets in one epoch, drawn anew each time."""

    horizon: int = Field(default=50, ge=1, le=100_000)
    """A far target is one of this many next events."""

    far_share: float = Field(default=0.5, ge=0, le=1)
    """Share of queries asked for a far target instead of the next event."""

    visit_share: float = Field(default=0.25, ge=0, le=1)
    """Share of targets that are asked for from what was known when their visit began."""

    temperature: float = Field(default=1.0, gt=0, le=100)
    loss: LossName = "auto"
    """What tells the positive from everything else; ``auto`` is the full softmax up to a size of the catalogue and the
    sampled softmax above it. The others are those of :mod:`shortlist_models.losses`."""

    full_softmax_up_to: int = Field(default=20_000, ge=0)
    """Catalogues above this size are trained with a sampled softmax where ``loss`` is ``auto``."""

    negative_source: NegativeSource = "auto"
    """Where sampled losses have their negatives from, as in :mod:`shortlist_models.negatives`; ``auto`` is ``mixed``,
    and ``uniform`` for ``gbce``."""

    negatives: int = Field(default=2048, ge=1, le=1_000_000)
    """Sampled negatives per batch; of those that come from the batch itself, at most."""

    gbce_t: float = Field(default=0.75, ge=0, le=1)
    """Calibration of ``gbce``: 0 is binary cross-entropy, 1 takes away what sampling does to probabilities."""

    hard_refresh: int = Field(default=50, ge=1, le=1_000_000)
    """Steps after which ``hard`` looks at new item embeddings."""

    hard_depth: int = Field(default=50, ge=1, le=10_000)
    """Length of the lists whose items are hard negatives."""

    queue_warm_up: int = Field(default=200, ge=0)
    """Steps before ``cross_batch`` uses embeddings of earlier batches."""

    queue_length: int = Field(default=4096, ge=1, le=1_000_000)
    """Embeddings of earlier batches that ``cross_batch`` keeps."""

    def loss_for(self, n_items: int) -> str:
        """Return the name of the loss for a catalogue of that size."""
        if self.loss != "auto":
            return self.loss
        return "full_softmax" if n_items <= self.full_softmax_up_to else "sampled_softmax"

    @model_validator(mode="after")
    def _loss_takes_the_negatives(self) -> TwoTowerConfig:
        if self.negative_source == "auto":
            return self
        fitting = [name for name, loss in LOSSES.items() if self.negative_source in loss.negatives]
        if self.loss not in fitting:
            allowed = () if self.loss == "auto" else ("auto", *LOSSES[self.loss].negatives)
            with_loss = f"; loss={self.loss} takes negative_source {' or '.join(allowed)}" if allowed else ""
            raise ValueError(
                f"negative_source={self.negative_source} needs loss {', '.join(fitting[:-1])} or {fitting[-1]}, not "
                f"{self.loss}{with_loss}"
            )
        return self


class ContentConfig(Section):
    """Embeddings of items' texts and images, where a data set has them."""

    text_components: int = Field(default=32, ge=0, le=1000)
    """Principal components of the text embeddings that are columns of the items beside their attributes; 0: none."""

    image_components: int = Field(default=16, ge=0, le=1000)
    """The same of the images."""

    dimensions: int = Field(default=96, ge=1, le=1000)
    """Principal axes of each kind by which the content source compares items."""

    image_weight: float = Field(default=0.3, ge=0, le=1)
    """Weight of the images' similarity in the content source; the texts' is the rest. Where one is absent, the other is
    all."""

    half_life: float = Field(default=30.0, gt=0, le=100_000)
    """Number of later events after which an event counts half in the content source."""


class OnboardingConfig(Section):
    """What actors without events chose to like."""

    chosen_weight: float = Field(default=4.0, ge=0, le=1000)
    """How far a chosen value of an item attribute moves the query of an actor without events, as a multiple of the way
    from the mean of all items to that of the items that have the value."""


class NeighboursConfig(Section):
    """Item neighbours."""

    model: Literal["cosine", "ease"] = "cosine"
    """``cosine`` of the sets of users that met two items, or the weights of EASE that are above zero."""

    most: int = Field(default=100, ge=1, le=1000)
    shrinkage: float = Field(default=10.0, ge=0)
    """Of the cosine: takes weight from pairs that few users support."""

    regularisation: float = Field(default=1000.0, gt=0)
    """Of EASE; the more, the nearer its weights are to counts of users in common."""

    refit: bool = False
    """Whether they are fitted once more, on all training events, when the ranker has been fitted. It learns from what
    neighbours say of events that they were not fitted on, and what is asked in serving is later still."""

    half_life_days: float | None = Field(default=None, gt=0)
    """Days before the latest event at which another one counts half; ``None``: all events count alike."""

    @property
    def half_life_s(self) -> float | None:
        """The half-life in seconds."""
        return None if self.half_life_days is None else self.half_life_days * 86_400.0


class PopularConfig(Section):
    """Popular lists."""

    overall: int = Field(default=1000, ge=1, le=100_000)
    per_segment: int = Field(default=300, ge=1, le=100_000)
    segment_users: int = Field(default=50, ge=1)
    """Users that a segment needs at least to have a list of its own."""

    lift_prior_events: float = Field(default=10_000.0, gt=0)
    """Events of everybody that are added to those of each segment where its popularity orders newcomers' slates."""


class FusionConfig(Section):
    """How candidates of the sources become one list."""

    candidates: int = Field(default=500, ge=10, le=10_000)
    per_source: int = Field(default=500, ge=10, le=10_000)
    two_tower: float = Field(default=0.5, ge=0, le=1)
    """Guaranteed share and weight of the source, as are the next two; together at most 1."""

    item_neighbours: float = Field(default=0.2, ge=0, le=1)
    popular: float = Field(default=0.3, ge=0, le=1)
    content: float = Field(default=0.2, ge=0, le=1)
    """Share that the content source takes from the others, in proportion to theirs, where items have content; without
    content it has none."""

    @property
    def quotas(self) -> dict[str, float]:
        """Shares by source name, without content."""
        return {"two_tower": self.two_tower, "item_neighbours": self.item_neighbours, "popular": self.popular}

    def shares(self, *, has_content: bool) -> dict[str, float]:
        """Return the shares by source name, for items with or without content."""
        if not has_content:
            return self.quotas
        return {**{s: q * (1.0 - self.content) for s, q in self.quotas.items()}, "content": self.content}


class NewestConfig(Section):
    """What the source of the newest items orders by."""

    attribute: str = Field(default="", max_length=64)
    """Column of the items, of times, that says when they came; empty, or missing there: with their first event."""


class UsersConfig(Section):
    """What a bundle says of single users."""

    vectors: bool = False
    """Whether it has their ids and vectors, for ``SimilarUsers`` and ``RecommendUsers``. User ids are personal data,
    and a bundle is copied, kept and never changed: whom you erase stays in it until you train, and delete, again. Hence
    off by default."""

    tenant: str = Field(default="", max_length=256)
    """Whose users they are; empty is the default tenant. Callers of other tenants get none of them."""


class EvaluationConfig(Section):
    """How much of the validation and test events is looked at."""

    validation_events: int = Field(default=4_000, ge=10)
    """Events for calibration and choices."""

    test_events: int = Field(default=20_000, ge=10)
    """Events of the rolling protocol; a seeded sample where there are more."""

    recall_at: int = Field(default=200, ge=1, le=10_000)
    """Length of the lists behind recall."""

    resamples: int = Field(default=2_000, ge=10, le=100_000)
    """Bootstrap resamples behind each interval."""


class TrainConfig(Section):
    """Everything that decides what comes out of a run. Two runs with equal settings give the same bundle."""

    seed: int = Field(default=1, ge=0, lt=2**31)
    threads: int = Field(default=1, ge=1, le=256)
    """Threads of the numerical library. Steps are small, so a second one gains little on an idle machine and loses much
    on a busy one. Sums, and so bundles, can differ in their last digits between settings."""

    refit: bool = False
    """Whether, when everything has been chosen and evaluated, all models are fitted once more, on all events there are,
    and those are published: what is served knows the latest. Figures are of the first ones, which know nothing of what
    they are measured on; choices stay theirs. The fit takes about as long again."""

    split: SplitConfig = SplitConfig()
    two_tower: TwoTowerConfig = TwoTowerConfig()
    content: ContentConfig = ContentConfig()
    onboarding: OnboardingConfig = OnboardingConfig()
    neighbours: NeighboursConfig = NeighboursConfig()
    popular: PopularConfig = PopularConfig()
    newest: NewestConfig = NewestConfig()
    fusion: FusionConfig = FusionConfig()
    ranker: RankerConfig = RankerConfig()
    order: OrderConfig = OrderConfig()
    calibration: CalibrationConfig = CalibrationConfig()
    users: UsersConfig = UsersConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
