"""GMF and MLP without a framework: NumPy, and every gradient written out.

A lesson, and the oracle that the PyTorch models are tested against. It reads from top to bottom like the derivation.

For a pair with label ``y`` and logit ``z`` the loss is binary cross-entropy (He et al. 2017, eq. 7), averaged over a
batch of ``m`` pairs::

    L = 1/m sum [ log(1 + exp(z)) - y z ]          so         dL/dz = (sigmoid(z) - y) / m

Everything below is the chain rule from there. Shapes: batch ``m``, factors ``f``, layer input ``a``, output ``b``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.integer]
Parameters = dict[str, Floats]


def loss_of(logits: Floats, labels: Floats) -> float:
    """Return the mean binary cross-entropy, in the form that does not overflow."""
    return float(np.mean(np.maximum(logits, 0.0) - labels * logits + np.log1p(np.exp(-np.abs(logits)))))


def loss_gradient(logits: Floats, labels: Floats) -> Floats:
    """Return ``dL/dz`` per pair, ``(m,)``."""
    # sigmoid(z) = (1 + tanh(z / 2)) / 2, which has no exponential to overflow.
    return (0.5 * (1.0 + np.tanh(0.5 * logits)) - labels) / len(labels)


class GmfFromScratch:
    """``z = h' (p * q) + c`` with ``p = P[u]``, ``q = Q[i]`` (eq. 8 and 9).

    With ``g = dL/dz``, ``(m,)``::

        dL/dh = sum g (p * q)       dL/dc = sum g
        dL/dp = g h * q             dL/dq = g h * p

    A row of ``P`` or ``Q`` that occurs repeatedly in the batch gets the sum of its gradients.

    Args:
        parameters: ``user (n_users, f)``, ``item (n_items, f)``, ``head (f,)``, ``bias (1,)``; changed by training.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters

    def logits(self, users: Rows, items: Rows) -> Floats:
        """Return ``z`` for pairs, ``(m,)``."""
        own = self.parameters
        logits: Floats = (own["user"][users] * own["item"][items]) @ own["head"] + own["bias"]
        return logits

    def gradients(self, users: Rows, items: Rows, labels: Floats) -> Parameters:
        """Return the gradient of the mean loss for every parameter."""
        own = self.parameters
        p, q = own["user"][users], own["item"][items]
        g = loss_gradient(self.logits(users, items), labels)
        to_factors = np.outer(g, own["head"])
        return {
            "user": _summed_rows(own["user"], users, to_factors * q),
            "item": _summed_rows(own["item"], items, to_factors * p),
            "head": g @ (p * q),
            "bias": g.sum(keepdims=True),
        }


class MlpFromScratch:
    """``x_0 = [p; q]``, ``x_l = relu(W_l x_{l-1} + c_l)``, ``z = h' x_L + c`` (eq. 10).

    Backwards, with ``d_L = g h`` and ``*`` element-wise::

        e_l = d_l * [x_l > 0]           through the ReLU
        dL/dW_l = e_l' x_{l-1}          dL/dc_l = sum e_l
        d_{l-1} = e_l W_l               until d_0 = [dL/dp; dL/dq]

    Args:
        parameters: ``user``, ``item``, ``weight_1 (b, a)``, ``bias_1 (b,)`` and so on, ``head``, ``bias``.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self._layers = sum(name.startswith("weight_") for name in parameters)

    def logits(self, users: Rows, items: Rows) -> Floats:
        """Return ``z`` for pairs, ``(m,)``."""
        logits: Floats = self._outputs(users, items)[-1] @ self.parameters["head"] + self.parameters["bias"]
        return logits

    def gradients(self, users: Rows, items: Rows, labels: Floats) -> Parameters:
        """Return the gradient of the mean loss for every parameter."""
        own = self.parameters
        outputs = self._outputs(users, items)
        g = loss_gradient(outputs[-1] @ own["head"] + own["bias"], labels)
        found = {"head": g @ outputs[-1], "bias": g.sum(keepdims=True)}
        d = np.outer(g, own["head"])
        for layer in range(self._layers, 0, -1):
            e = d * (outputs[layer] > 0.0)
            found[f"weight_{layer}"] = e.T @ outputs[layer - 1]
            found[f"bias_{layer}"] = e.sum(axis=0)
            d = e @ own[f"weight_{layer}"]
        half = own["user"].shape[1]
        found["user"] = _summed_rows(own["user"], users, d[:, :half])
        found["item"] = _summed_rows(own["item"], items, d[:, half:])
        return found

    def _outputs(self, users: Rows, items: Rows) -> list[Floats]:
        """Return ``x_0 .. x_L``."""
        own = self.parameters
        outputs = [np.concatenate([own["user"][users], own["item"][items]], axis=1)]
        for layer in range(1, self._layers + 1):
            outputs.append(np.maximum(outputs[-1] @ own[f"weight_{layer}"].T + own[f"bias_{layer}"], 0.0))
        return outputs


class AdamFromScratch:
    """Adam (Kingma & Ba 2015, algorithm 1), on parameters in place.

    Args:
        parameters: What is trained.
        learning_rate: Step size, above 0.
        betas: Decay of the mean of gradients and of that of their squares, in [0, 1).
        epsilon: Keeps the division finite.
    """

    def __init__(
        self,
        parameters: Parameters,
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
    ) -> None:
        self._parameters = parameters
        self._learning_rate, self._betas, self._epsilon = learning_rate, betas, epsilon
        self._mean = {name: np.zeros_like(value) for name, value in parameters.items()}
        self._square = {name: np.zeros_like(value) for name, value in parameters.items()}
        self._step = 0

    def step(self, gradients: Mapping[str, Floats]) -> None:
        """Move every parameter against its gradient."""
        self._step += 1
        first, second = self._betas
        for name, gradient in gradients.items():
            self._mean[name] = first * self._mean[name] + (1.0 - first) * gradient
            self._square[name] = second * self._square[name] + (1.0 - second) * gradient**2
            # Both means start at 0; dividing by 1 - beta^t takes that out.
            mean = self._mean[name] / (1.0 - first**self._step)
            square = self._square[name] / (1.0 - second**self._step)
            self._parameters[name] -= self._learning_rate * mean / (np.sqrt(square) + self._epsilon)


def _summed_rows(table: Floats, rows: Rows, gradients: Floats) -> Floats:
    total = np.zeros_like(table)
    np.add.at(total, rows, gradients)
    return total
