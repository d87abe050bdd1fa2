"""Models that read one known region of a face, and the regions as areas: ground truth for the whole way."""

import cv2
import numpy as np

from canonface.mesh import region_triangles


def area(mesh, name, points_xy, size_hw, triangles=None):
    """Pixels under a region: the union of its triangles, drawn at the mesh's places `points_xy`."""
    mask = np.zeros(size_hw, np.uint8)
    for triangle in region_triangles(mesh, name) if triangles is None else triangles:
        # four binary places of sub-pixel precision, pixel centres at whole numbers
        cv2.fillConvexPoly(mask, np.rint(points_xy[triangle] * 16).astype(np.int32), 1, shift=4)
    return mask > 0


def visible_triangles(mesh, name, visible):
    triangles = region_triangles(mesh, name)
    return triangles[visible[triangles].all(axis=1)]


def grown(mask, patch):
    """A mask grown by half a patch, as a square patch sees it."""
    side = 2 * int(np.ceil(patch / 2)) + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0


def holds_a_patch(mask, patch):
    return mask.sum() >= patch**2


def region_reader(original, mask):
    """A model that is sure as long as the pixels under `mask` are those of the original, and reads no other."""
    inside = original[:, mask]

    def model(batch):
        kept = (batch[:, :, mask] == inside).all(axis=1).mean(axis=1)
        return np.stack([6 * kept - 3, np.zeros(len(batch))], axis=1)

    return model
