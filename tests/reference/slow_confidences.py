"""Slow, obvious versions of the confidences beyond a class, number by number."""

import math
from itertools import pairwise


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True)) / (
        math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
    )


def recognition(query, gallery):
    """Return eq. 7."""
    best = -2.0
    for image in gallery:
        best = max(best, cosine(query, image))
    return best


def verification(a, b, same, threshold, paper_sign):
    """Return eq. 8 as printed, or with the opposite sign."""
    c = 1 if same else -1
    as_printed = c * (threshold - cosine(a, b))
    return as_printed if paper_sign else -as_printed


def softmax(logits):
    top = max(logits)
    powers = [math.exp(x - top) for x in logits]
    return [x / sum(powers) for x in powers]


def expected(logits, numbers):
    return sum(p * v for p, v in zip(softmax(logits), numbers, strict=True))


def in_bin(logits, numbers, low, high):
    return sum(p for p, v in zip(softmax(logits), numbers, strict=True) if low <= v < high)


def pose_memberships(yaw, pitch, yaw_edges, pitch_edges, sigma):
    def below(edge, angle):
        return 0.5 * (1 + math.erf((edge - angle) / sigma / math.sqrt(2)))

    def intervals(angle, edges):
        marks = [0.0, *(below(edge, angle) for edge in edges), 1.0]
        return [high - low for low, high in pairwise(marks)]

    return [y * p for y in intervals(yaw, yaw_edges) for p in intervals(pitch, pitch_edges)]


def threshold(similarities, same, rate):
    """Return the lowest place just above an impostor pair at which the rate is met."""
    impostors = [s for s, genuine in zip(similarities, same, strict=True) if not genuine]
    places = sorted(math.nextafter(s, math.inf) for s in impostors)
    for place in places:
        if sum(s >= place for s in impostors) <= rate * len(impostors) + 1e-9:
            return place
    raise AssertionError
