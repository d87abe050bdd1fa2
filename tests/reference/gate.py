"""Allowed difference of two exact engines: 5e-5 of a drop, or twice the error of PyTorch itself."""

import numpy as np

GATE = 5e-5


def drops_of(outputs, original, target=None):
    """Return the drop of a class's softmax probability in double precision; by default of the predicted class."""
    before, after = (_softmax(np.asarray(values, np.float64)) for values in (original, outputs))
    index = int(before[0].argmax()) if target is None else target
    return before[0, index] - after[:, index]


def cosine_drops_of(outputs, original):
    """Return the drop of the cosine with the clean face's embedding, whose cosine with itself is 1."""
    original, outputs = np.asarray(original, np.float64)[0], np.asarray(outputs, np.float64)
    return 1 - outputs @ original / np.linalg.norm(outputs, axis=1) / np.linalg.norm(original)


def allowed(single, double):
    """Return the allowed difference, from drops by the dense engine in single and in double precision."""
    return max(GATE, 2 * float(np.abs(np.asarray(single) - np.asarray(double)).max()))


def _softmax(logits):
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)
