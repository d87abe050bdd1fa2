"""Slow, obvious versions of the attribution methods."""

import numpy as np


def enlarged(image, rows, columns):
    """Interpolate bilinearly, pixel by pixel; centres of pixels lie at (j + 1/2); the border is repeated."""
    height, width = image.shape
    found = np.zeros((rows, columns))
    for r in range(rows):
        for c in range(columns):
            y = min(max((r + 0.5) * height / rows - 0.5, 0), height - 1)
            x = min(max((c + 0.5) * width / columns - 0.5, 0), width - 1)
            y0, x0 = int(y), int(x)
            y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
            top = image[y0, x0] * (1 - (x - x0)) + image[y0, x1] * (x - x0)
            low = image[y1, x0] * (1 - (x - x0)) + image[y1, x1] * (x - x0)
            found[r, c] = top * (1 - (y - y0)) + low * (y - y0)
    return found


def rise(score, x, grids, shifts, share, hidden):
    """Return eq. 6 for grids ``(n, s, s)`` and shifts ``(n, 2)``; ``hidden`` ``(c, 1, 1)`` fills the masked parts."""
    height, width = x.shape[1:]
    cells = grids.shape[1]
    cell_h, cell_w = int(np.ceil(height / cells)), int(np.ceil(width / cells))
    total = np.zeros((height, width))
    for grid, (top, left) in zip(grids, shifts, strict=True):
        large = enlarged(grid, (cells + 1) * cell_h, (cells + 1) * cell_w)
        mask = large[top : top + height, left : left + width]
        seen = x * mask + hidden * (1 - mask)
        total += score(seen[None])[0] * mask
    return total / (share * len(grids))


def sliding(score, x, side, step, hidden):
    """Return the mean drop over the windows that cover each pixel; windows are clipped at the border."""
    height, width = x.shape[1:]
    total, count = np.zeros((height, width)), np.zeros((height, width))
    steps = [int(np.ceil(max(size - side, 0) / step)) + 1 for size in (height, width)]
    for i in range(steps[0]):
        for j in range(steps[1]):
            rows, columns = slice(i * step, i * step + side), slice(j * step, j * step + side)
            covered = x.copy()
            covered[:, rows, columns] = np.broadcast_to(hidden, x.shape)[:, rows, columns]
            total[rows, columns] += score(x[None])[0] - score(covered[None])[0]
            count[rows, columns] += 1
    return total / count


def slopes(confidence_fn, outputs, step=1e-5):
    """Return central differences, one output at a time."""
    found = np.zeros_like(outputs, dtype=np.float64)
    for j in range(outputs.shape[1]):
        up, down = outputs.astype(np.float64), outputs.astype(np.float64)
        up[:, j] += step
        down[:, j] -= step
        found[:, j] = (confidence_fn(up) - confidence_fn(down)) / (2 * step)
    return found
