"""Resampling pixel by pixel, from its words: blur along x, along y, then a bilinear look-up; borders repeated."""

import numpy as np


def slow_resample(image, matrix, size_hw):
    """``image`` (h, w, c) as floats; ``matrix`` maps its pixels to those of the answer, (oh, ow, c)."""
    pixels = image.astype(float)
    for axis, row in ((1, 0), (0, 1)):
        shrink = 1 / np.hypot(*matrix[row, :2])
        if shrink > 1:
            pixels = np.apply_along_axis(blurred, axis, pixels, (shrink**2 - 1) / 6)
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    prediction = np.zeros((*size_hw, image.shape[2]))
    for i in range(size_hw[0]):
        for j in range(size_hw[1]):
            x, y, _ = inverse @ [j, i, 1]
            prediction[i, j] = looked_up(pixels, x, y)
    return prediction


def blurred(line, variance):
    """A Gaussian cut at four sigma, to an odd number of pixels as OpenCV rounds it."""
    sigma = np.sqrt(variance)
    reach = (round(8 * sigma + 1) | 1) // 2
    weights = {k: np.exp(-(k**2) / (2 * variance)) for k in range(-reach, reach + 1)}
    last = len(line) - 1
    return np.array(
        [
            sum(weight * line[min(max(i + k, 0), last)] for k, weight in weights.items())
            / sum(weights.values())
            for i in range(len(line))
        ]
    )


def looked_up(pixels, x, y):
    """Bilinear, at a place that is first brought to the picture."""
    height, width = pixels.shape[:2]
    x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
    left, top = min(int(x), max(width - 2, 0)), min(int(y), max(height - 2, 0))
    right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
    u, v = x - left, y - top
    above = (1 - u) * pixels[top, left] + u * pixels[top, right]
    below = (1 - u) * pixels[bottom, left] + u * pixels[bottom, right]
    return (1 - v) * above + v * below
