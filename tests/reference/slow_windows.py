"""Deltas on windows, computed slowly: every window is put on a whole map, and maps are summed tap by tap.

A windows table has a line ``y, x, height, width, first, photo`` for each probe. Maps are ``(height, width, c)``.
"""

import numpy as np


def on_map(rows, window, map_hw):
    """Return the whole map of one probe's deltas: zero outside its window."""
    y, x, height, width, first, _ = window
    result = np.zeros((*map_hw, rows.shape[1]))
    for i in range(height):
        for j in range(width):
            result[y + i, x + j] = rows[first + i * width + j]
    return result


def off_map(whole, window, rows):
    """Write one window's cells of a map into their rows."""
    y, x, height, width, first, _ = window
    for i in range(height):
        for j in range(width):
            rows[first + i * width + j] = whole[y + i, x + j]


def base_of(base, photo, map_hw):
    cells = map_hw[0] * map_hw[1]
    return base[photo * cells : (photo + 1) * cells].reshape(*map_hw, -1)


def taps(kernel, stride, padding, dilation, out_yx):
    """Yield each tap of a kernel with the input cell that it reads for an output cell."""
    for a in range(kernel[0]):
        for b in range(kernel[1]):
            y = out_yx[0] * stride[0] - padding[0] + a * dilation[0]
            x = out_yx[1] * stride[1] - padding[1] + b * dilation[1]
            yield (a, b), (y, x)


def inside(yx, map_hw):
    return 0 <= yx[0] < map_hw[0] and 0 <= yx[1] < map_hw[1]


def conv(whole, weight, out_hw, stride, padding, dilation):
    """Convolve a map with ``weight`` ``(out, in, kernel height, kernel width)``."""
    result = np.zeros((*out_hw, weight.shape[0]))
    for out_yx in np.ndindex(*out_hw):
        for (a, b), yx in taps(weight.shape[2:], stride, padding, dilation, out_yx):
            if inside(yx, whole.shape):
                result[out_yx] += weight[:, :, a, b] @ whole[yx]
    return result


def depthwise(whole, weight, out_hw, stride, padding, dilation):
    """Convolve each channel of a map with ``weight`` ``(c, 1, kernel height, kernel width)``."""
    result = np.zeros((*out_hw, weight.shape[0]))
    for out_yx in np.ndindex(*out_hw):
        for (a, b), yx in taps(weight.shape[2:], stride, padding, dilation, out_yx):
            if inside(yx, whole.shape):
                result[out_yx] += weight[:, 0, a, b] * whole[yx]
    return result


def max_pool(whole, base_in, out_hw, kernel, stride, padding, dilation):
    """Return the maximum of base plus deltas, less that of the base alone."""
    result = np.zeros((*out_hw, whole.shape[2]))
    for out_yx in np.ndindex(*out_hw):
        under = [yx for _, yx in taps(kernel, stride, padding, dilation, out_yx) if inside(yx, whole.shape)]
        changed = np.max([base_in[yx] + whole[yx] for yx in under], axis=0)
        result[out_yx] = changed - np.max([base_in[yx] for yx in under], axis=0)
    return result


def avg_pool(whole, out_hw, kernel, stride, padding, divisor):
    result = np.zeros((*out_hw, whole.shape[2]))
    for out_yx in np.ndindex(*out_hw):
        under = [yx for _, yx in taps(kernel, stride, padding, (1, 1), out_yx) if inside(yx, whole.shape)]
        result[out_yx] = sum(whole[yx] for yx in under) / (divisor or len(under))
    return result


def activated(value, name, low=0.0, high=np.inf, slope=0.0):
    """Apply an activation that the kernels support."""
    if name == "CLAMP":
        return np.minimum(np.maximum(value, low), high)
    if name == "PRELU":
        return np.where(value > 0, value, slope * value)
    if name == "HARD_SIGMOID":
        return np.minimum(np.maximum(value + 3, 0), 6) / 6
    if name == "HARD_SWISH":
        return value * np.minimum(np.maximum(value + 3, 0), 6) / 6
    return value


def changed_by(delta, before, name, **options):
    """Return the delta of an activation for a delta of its input."""
    return activated(before + delta, name, **options) - activated(before, name, **options)


def linear_of_flat(whole, weight):
    """Return a fully connected layer on a map flattened channel by channel, as in PyTorch."""
    return weight @ whole.transpose(2, 0, 1).reshape(-1)
