"""Losses of retrieval, by name, and of ranking.

A retrieval loss tells the positive of each query from negatives that all queries of a batch share, so it is one matrix
product. Where negatives are a sample, ``log_q`` says how they came there (:mod:`shortlist_models.negatives`). In the
formulas ``s`` are logits, ``p`` is the positive, ``D`` are the negatives drawn that are not ``p``, and ``n_d`` is the
expected number of times that ``d`` is among all draws, ``exp(log_q)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Contrast:
    """What a batch of ``q`` queries is trained to tell apart."""

    positives: Tensor
    """Places of the positives in ``items``, int64 ``(q,)``."""

    items: Tensor
    """Embeddings with the bias as last column, ``(n, d + 1)``: the catalogue, or what of it a batch needs."""

    sample: Sample | None = None
    """The negatives; ``None``: all of ``items``, which is then the catalogue."""


@dataclass(frozen=True, slots=True)
class Sample:
    """``s`` negatives that a batch shares."""

    embeddings: Tensor
    """With the bias as last column, ``(s, d + 1)``."""

    is_hit: Tensor
    """Whether a negative is the query's own positive, bool ``(q, s)``."""

    log_q: Tensor
    """Log of the expected number of times that each negative is in the sample, ``(s,)``."""

    positive_log_q: Tensor
    """The same of each positive, ``(q,)``; minus infinity where it is never drawn."""


@dataclass(frozen=True, slots=True)
class LossOptions:
    """What losses can be told."""

    temperature: float = 1.0
    """Divides the logits before any correction, above 0."""

    catalogue: int = 1
    """Number of items, at least 1; for gBCE."""

    calibration: float = 0.75
    """``t`` of gBCE, in [0, 1]."""


LossFunction = Callable[[Tensor, Contrast, LossOptions], Tensor]
"""Queries ``(q, d)``, what to tell apart, and options, to the mean loss."""


def full_softmax(query: Tensor, contrast: Contrast, options: LossOptions) -> Tensor:
    """Return the mean cross-entropy of the positive against the whole catalogue.

    ``-s_p + log sum over all d of exp(s_d)``. Klenitskiy & Vasilev 2023, "Turning Dross Into Gold Loss": where the
    catalogue is small enough for it, the full softmax beats sampled losses.
    """
    items, temperature = contrast.items, options.temperature
    logits = torch.addmm(items[:, -1] / temperature, query / temperature, items[:, :-1].T)
    return functional.cross_entropy(logits, contrast.positives)


def sampled_softmax(query: Tensor, contrast: Contrast, options: LossOptions) -> Tensor:
    """Return the mean cross-entropy against the positive and an estimate of everything else.

    ``-s_p + log(exp(s_p) + sum over D of exp(s_d) / n_d)``: importance sampling of the softmax's sum (Bengio & Senecal
    2008, "Adaptive Importance Sampling to Accelerate Training of a Neural Probabilistic Language Model") for all items
    but the positive, which is known and counts once. The sum is unbiased, so that the loss approaches the full softmax
    as the sample grows.
    """
    positive, negatives, sample = _logits(query, contrast, options, is_corrected=True)
    negatives = negatives.masked_fill(sample.is_hit, float("-inf"))
    together = torch.cat([positive[:, None], negatives], dim=1)
    return functional.cross_entropy(together, torch.zeros_like(contrast.positives))


def uncorrected_softmax(query: Tensor, contrast: Contrast, options: LossOptions) -> Tensor:
    """Return the mean cross-entropy of the positive against the sample as it is.

    ``-s_p + log(exp(s_p) + sum over D of exp(s_d))``. The best logits are then ``log P_d - log n_d``, up to a constant,
    instead of ``log P_d``: what is drawn often is under-rated (Yi et al. 2019, on eq. 3). It is here to show what a
    correction is worth.
    """
    positive, negatives, sample = _logits(query, contrast, options)
    negatives = negatives.masked_fill(sample.is_hit, float("-inf"))
    together = torch.cat([positive[:, None], negatives], dim=1)
    return functional.cross_entropy(together, torch.zeros_like(contrast.positives))


def logq_softmax(query: Tensor, contrast: Contrast, options: LossOptions) -> Tensor:
    """Return the softmax over the sample with every logit corrected, the positive's too: the classic correction.

    With ``c = s - log n``: ``-c_p + log(k exp(c_p) + sum over D of exp(c_d))``, where ``k`` is how often the positive
    is in the sample, at least once. Yi et al. 2019, "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item
    Recommendations", eq. 4 with the corrected logits above it: the positive is one of the draws. Repeats of it are
    counted instead of masked, as the correction of its own logit assumes them; with more draws the loss approaches the
    full softmax plus ``log n_p``.
    """
    positive, negatives, sample = _logits(query, contrast, options, is_corrected=True)
    # A positive that is never drawn, such as one without events in the window, has no correction: it counts once.
    corrected = positive - torch.where(sample.positive_log_q.isfinite(), sample.positive_log_q, 0.0)
    negatives = negatives.masked_fill(sample.is_hit, float("-inf"))
    repeats = sample.is_hit.sum(dim=1).clamp(min=1).to(corrected.dtype).log()
    every = torch.cat([(corrected + repeats)[:, None], negatives], dim=1).logsumexp(dim=1)
    return (every - corrected).mean()


def refined_logq_softmax(query: Tensor, contrast: Contrast, options: LossOptions) -> Tensor:
    """Return the softmax loss in which only what was sampled is corrected, weighted by how wrong the model still is.

    ``w (-s_p + log Z)`` with ``Z = (1 - Q_p) / m * sum over D of exp(s_d) / Q_d``, ``m`` the size of ``D``, ``Q`` the
    distribution of one draw, and the constant ``w = 1 - exp(s_p) / (exp(s_p) + Z)``. Khrylchenko et al. 2025,
    "Correcting the LogQ Correction" (arXiv 2507.09331): the gradient of the full softmax is
    ``(1 - P_p) (-grad s_p + sum over d != p of P_d / (1 - P_p) grad s_d)``, in which the positive is not sampled and
    has no place under the logarithm. Its gradient differs from that of :func:`sampled_softmax` by the estimate of ``Z``
    alone: there it is the sum over all draws in expectation, here the mean over those that did not hit.
    """
    positive, negatives, sample = _logits(query, contrast, options, is_corrected=True)
    draws = sample.is_hit.shape[1]
    left = draws - sample.is_hit.sum(dim=1)
    kept = (1.0 - sample.positive_log_q.exp() / draws).clamp(min=1e-6) * draws / left.clamp(min=1)
    # The least finite number instead of minus infinity: where every draw hit, the weight is 0 and not undefined.
    negatives = negatives.masked_fill(sample.is_hit, torch.finfo(negatives.dtype).min)
    above = negatives.logsumexp(dim=1) + kept.log() - positive
    return (torch.sigmoid(above).detach() * above).mean()


def gbce(query: Tensor, contrast: Contrast, options: LossOptions) -> Tensor:
    """Return the mean generalised binary cross-entropy of the positive and its negatives.

    ``-(beta log sigma(s_p) + sum over D of log(1 - sigma(s_d))) / (s + 1)`` with ``beta = alpha (t (1 - 1 / alpha) +
    1 / alpha) = 1 - t (1 - alpha)`` and the sampling rate ``alpha = s / (catalogue - 1)``. Petrov & Macdonald 2023,
    "gSASRec: Reducing Overconfidence in Sequential Recommendation Trained with Negative Sampling" (arXiv 2308.07192,
    section 5): ``t = 0`` is binary cross-entropy, ``t = 1`` takes away all the overconfidence that uniform sampling
    causes, since each negative then weighs as much beside the positive as it would among all items.
    """
    positive, negatives, sample = _logits(query, contrast, options)
    draws = sample.is_hit.shape[1]
    alpha = draws / max(1, options.catalogue - 1)
    beta = 1.0 - options.calibration * (1.0 - alpha)
    wrong = functional.softplus(negatives).masked_fill(sample.is_hit, 0.0).sum(dim=1)
    return ((beta * functional.softplus(-positive) + wrong) / (draws + 1)).mean()


def listwise_softmax(logits: Tensor, target: Tensor) -> Tensor:
    """Return the mean cross-entropy of the shown positive (column ``target``) within each list ``(q, c)``."""
    return functional.cross_entropy(logits, target)


@dataclass(frozen=True, slots=True)
class Loss:
    """A retrieval loss and what it can be used with."""

    function: LossFunction
    negatives: tuple[str, ...]
    """Sources of negatives that it takes, the default first; none: it looks at the whole catalogue."""


_ANY = ("mixed", "uniform", "popularity", "in_batch", "hard", "cross_batch")

LOSSES: Mapping[str, Loss] = {
    "full_softmax": Loss(full_softmax, ()),
    "sampled_softmax": Loss(sampled_softmax, _ANY),
    "logq_softmax": Loss(logq_softmax, _ANY),
    "refined_logq_softmax": Loss(refined_logq_softmax, _ANY),
    "uncorrected_softmax": Loss(uncorrected_softmax, _ANY),
    "gbce": Loss(gbce, ("uniform",)),
}
"""Retrieval losses. gBCE is derived for uniform negatives and for no others."""


def _logits(
    query: Tensor, contrast: Contrast, options: LossOptions, *, is_corrected: bool = False
) -> tuple[Tensor, Tensor, Sample]:
    """Return logits of the positives ``(q,)`` and of the negatives ``(q, s)``, and the sample.

    Args:
        query: ``(q, d)``.
        contrast: What is told apart.
        options: Temperature.
        is_corrected: Whether the negatives' logits are lowered by ``log_q``.

    Raises:
        ValueError: There is no sample.
    """
    sample, temperature = contrast.sample, options.temperature
    if sample is None:
        raise ValueError("a sampled loss needs a sample")
    own = contrast.items[contrast.positives]
    positive = ((query * own[:, :-1]).sum(-1) + own[:, -1]) / temperature
    drawn = sample.embeddings
    offset = drawn[:, -1] / temperature
    if is_corrected:
        offset = offset - sample.log_q
    return positive, torch.addmm(offset, query / temperature, drawn[:, :-1].T), sample
