"""The reliability of a mean map, face by face and place by place."""

import numpy as np


def mean_map(maps, rows):
    """Mean over chosen rows at each place, NaN left out."""
    places = []
    for place in range(maps.shape[1]):
        values = [maps[row, place] for row in rows if np.isfinite(maps[row, place])]
        places.append(sum(values) / len(values) if values else float("nan"))
    return np.array(places)


def correlation(a, b):
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if np.isfinite(x) and np.isfinite(y)]
    x, y = np.array(pairs).T
    return float(np.corrcoef(x, y)[0, 1])


def face_map(drops, near):
    """Mean of the known drops whose patch covers each place (eq. 5)."""
    places = []
    for place in range(len(near)):
        values = [d for d, inside in zip(drops, near[place], strict=True) if inside and np.isfinite(d)]
        places.append(np.mean(values) if values else float("nan"))
    return np.array(places)


def signal_and_noise(random, photos, places, noise):
    """Maps that share a signal of variance 1 and have noise of a variance of their own."""
    signal = random.normal(size=places)
    signal = (signal - signal.mean()) / signal.std()
    return signal + random.normal(scale=np.sqrt(noise), size=(photos, places))
