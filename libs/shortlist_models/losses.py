"""Losses of retrieval and ranking."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def full_softmax(query: Tensor, items: Tensor, bias: Tensor, target: Tensor, temperature: float) -> Tensor:
    """Return the mean cross-entropy of ``target`` against the whole catalogue.

    Klenitskiy & Vasilev 2023, "Turning Dross Into Gold Loss": where the catalogue is small enough for it, the full
    softmax beats sampled losses.

    Args:
        query: ``(q, d)``.
        items: ``(n, d)``.
        bias: ``(n,)``.
        target: Rows of the positives, ``(q,)``.
        temperature: Divides the logits, above 0.
    """
    return functional.cross_entropy(torch.addmm(bias / temperature, query / temperature, items.T), target)


def sampled_softmax(
    query: Tensor,
    positive: Tensor,
    negatives: Tensor,
    positive_row: Tensor,
    negative_rows: Tensor,
    log_q: Tensor,
    temperature: float,
) -> Tensor:
    """Return the mean cross-entropy of the positive against sampled negatives, corrected for how they were sampled.

    Yi et al. 2019, "Sampling-Bias-Corrected Neural Modeling", eq. 3: a logit is lowered by the log of the probability
    with which its item is in the sample. The positive is always there, so its own logit is left as it is (as in
    "Correcting the LogQ Correction", 2025). A negative that is the positive of the query is masked.

    Args:
        query: ``(q, d)``.
        positive: Embeddings of the positives with their bias as last column, ``(q, d + 1)``.
        negatives: Embeddings of the shared negatives with their bias, ``(s, d + 1)``.
        positive_row: ``(q,)``.
        negative_rows: ``(s,)``.
        log_q: Log of the expected number of times that each negative is in the sample, ``(s,)``.
        temperature: Divides the logits before the correction, above 0.
    """
    positive_logit = ((query * positive[:, :-1]).sum(-1) + positive[:, -1]) / temperature
    logits = torch.addmm(negatives[:, -1] / temperature - log_q, query / temperature, negatives[:, :-1].T)
    logits = logits.masked_fill(positive_row[:, None] == negative_rows[None, :], float("-inf"))
    together = torch.cat([positive_logit[:, None], logits], dim=1)
    return functional.cross_entropy(together, torch.zeros_like(positive_row))


def listwise_softmax(logits: Tensor, target: Tensor) -> Tensor:
    """Return the mean cross-entropy of the shown positive (column ``target``) within each list ``(q, c)``."""
    return functional.cross_entropy(logits, target)
