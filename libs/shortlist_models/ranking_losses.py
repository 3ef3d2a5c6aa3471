"""The loss of a ranker with two heads: ``L = L_retrieval + alpha L_rating + beta L_click``."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from shortlist_models.losses import listwise_softmax


@dataclass(frozen=True, slots=True)
class LossWeights:
    """What each part of the loss weighs, at least 0."""

    retrieval: float = 1.0
    rating: float = 0.5
    """``alpha``."""

    click: float = 0.0
    """``beta``."""


def pointwise_click(logits: Tensor, target: Tensor) -> Tensor:
    """Return the mean binary cross-entropy of all pairs of a query and a candidate (He et al. 2017, eq. 7).

    Unlike the softmax over a list it also asks for the level of the logits, as which log odds of a click they can be
    read.

    Args:
        logits: ``(q, c)``.
        target: Column of the positive of each list, ``(q,)``; all others are negatives.
    """
    labels = functional.one_hot(target, logits.shape[1]).to(logits.dtype)
    return functional.binary_cross_entropy_with_logits(logits, labels)


def ranking_loss(
    click: Tensor, target: Tensor, rating: Tensor, value: Tensor, deviation: Tensor, weights: LossWeights
) -> Tensor:
    """Return ``L_retrieval + alpha L_rating + beta L_click``, each with its weight.

    ``L_retrieval`` is the softmax over each list (Cao et al. 2007), ``L_rating`` the squared error of the positives'
    ratings in units of their variance, ``L_click`` that of :func:`pointwise_click`. A part of weight 0 is not computed.

    Args:
        click: Logits ``(q, c)``.
        target: Column of the positive of each list, ``(q,)``.
        rating: Predicted for the positives, ``(q,)``.
        value: Their ratings, ``(q,)``.
        deviation: Of ratings, above 0.
        weights: At least one of them above 0.
    """
    total = torch.zeros((), device=click.device)
    if weights.retrieval > 0.0:
        total = total + weights.retrieval * listwise_softmax(click, target)
    if weights.rating > 0.0:
        error = (rating - value) / deviation
        total = total + weights.rating * (error * error).mean()
    if weights.click > 0.0:
        total = total + weights.click * pointwise_click(click, target)
    return total
