"""What a stereo camera makes of true depth: shadows, holes at edges, noise, drop-outs.

Depth error grows with the square of range because the error is made in disparity: z = f B / d, so
dz = z^2 / (f B) dd.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BASELINE_M = 0.12  # source: ZED 2 data sheet
_NATIVE_WIDTH = 1280  # the matcher works at HD720, whatever the size retrieved


@dataclass(frozen=True, slots=True)
class StereoLens:
    """What the noise needs of a camera: focal length [px] and range [m]."""

    focal_px: float
    near_m: float
    far_m: float


@dataclass(frozen=True, slots=True)
class StereoNoise:
    """Strength of each effect at scale 1; ours, of the size that ZED 2 depth shows on a table.

    Attributes:
        disparity_px: standard deviation of the matcher's error, in pixels at HD720: 0.9 mm at 0.6
            m, 2.5 mm at 1 m.
        patch_px: side of a patch that shares part of its error, in pixels retrieved.
        edge_ratio: relative jump of depth between neighbours that counts as an edge.
        edge_hole: share of edge pixels that become holes.
        drop_patch: share of patches without texture that drop out.
        drop_pixel: share of single pixels that drop out.
    """

    disparity_px: float = 0.15
    patch_px: int = 4
    edge_ratio: float = 0.04
    edge_hole: float = 0.5
    drop_patch: float = 0.003
    drop_pixel: float = 0.002


def stereo_noise(
    depth_m: np.ndarray,
    rng: np.random.Generator,
    lens: StereoLens,
    scale: float = 1.0,
) -> np.ndarray:
    """Return depth as a stereo camera would measure it.

    Args:
        depth_m: (H, W) float32 true depth along the optical axis [m].
        rng: source of the noise; the same state gives the same image.
        lens: of the camera.
        scale: multiplies the noise and every share of lost pixels; 0 leaves only the range limits.

    Returns:
        (H, W) float32 [m]: NaN unknown, -inf nearer than `near_m`, +inf farther than `far_m`.
    """
    noise, out = StereoNoise(), depth_m
    if scale > 0.0:
        focal_baseline = np.float32(lens.focal_px * BASELINE_M)
        disparity = focal_baseline / depth_m
        sigma = noise.disparity_px * scale * depth_m.shape[1] / _NATIVE_WIDTH
        lost = _occluded(disparity)
        lost |= _edge_holes(depth_m, rng, noise, scale)
        lost |= _drop_outs(depth_m.shape, rng, noise, scale)
        disparity += _matcher_error(depth_m.shape, rng, noise.patch_px, sigma)
        out = focal_baseline / np.maximum(disparity, np.float32(1e-3))
        out[lost] = np.nan
    return limit_range(out, lens)


def limit_range(depth_m: np.ndarray, lens: StereoLens) -> np.ndarray:
    """Return a copy (H, W) [m] with -inf below `near_m` and +inf beyond `far_m`; NaN stays."""
    out = np.array(depth_m, dtype=np.float32)
    out[out < lens.near_m] = -np.inf
    out[out > lens.far_m] = np.inf
    return out


def _occluded(disparity: np.ndarray) -> np.ndarray:
    """Return the pixels of the left image that the right one cannot see, (H, W) bool.

    A pixel at column u lies at u - d in the right image; one further right in the left image that
    lies left of it there is nearer and covers it.
    """
    column = np.arange(disparity.shape[1], dtype=np.float32) - disparity
    nearest = np.minimum.accumulate(column[:, ::-1], axis=1)[:, ::-1]
    occluded = np.zeros(disparity.shape, dtype=bool)
    np.greater(column[:, :-1], nearest[:, 1:] + np.float32(0.25), out=occluded[:, :-1])
    return occluded


def _edge_holes(
    depth_m: np.ndarray, rng: np.random.Generator, noise: StereoNoise, scale: float
) -> np.ndarray:
    """Return holes at depth discontinuities, both sides of the edge, (H, W) bool."""
    edge = np.zeros(depth_m.shape, dtype=bool)
    limit = np.float32(noise.edge_ratio)
    across = np.abs(np.diff(depth_m, axis=1)) > limit * depth_m[:, :-1]
    down = np.abs(np.diff(depth_m, axis=0)) > limit * depth_m[:-1]
    edge[:, :-1] |= across
    edge[:, 1:] |= across
    edge[:-1] |= down
    edge[1:] |= down
    rows, columns = np.nonzero(edge)
    keep = rng.random(len(rows), dtype=np.float32) >= noise.edge_hole * scale
    edge[rows[keep], columns[keep]] = False
    return edge


def _drop_outs(
    shape: tuple[int, ...], rng: np.random.Generator, noise: StereoNoise, scale: float
) -> np.ndarray:
    """Return lost patches and lost single pixels, (H, W) bool."""
    side = 2 * noise.patch_px
    coarse = rng.random((-(-shape[0] // side), -(-shape[1] // side)), dtype=np.float32)
    lost = _enlarge(coarse < noise.drop_patch * scale, side, shape)
    count = rng.poisson(noise.drop_pixel * scale * shape[0] * shape[1])
    lost[rng.integers(shape[0], size=count), rng.integers(shape[1], size=count)] = True
    return lost


def _matcher_error(
    shape: tuple[int, ...], rng: np.random.Generator, patch_px: int, sigma: float
) -> np.ndarray:
    """Return the disparity error (H, W) [px]: half its variance by patch, half by 2x2 pixels."""
    share = np.float32(sigma * np.sqrt(0.5))
    patches = (-(-shape[0] // patch_px), -(-shape[1] // patch_px))
    pairs = (-(-shape[0] // 2), -(-shape[1] // 2))
    error = _enlarge(rng.standard_normal(patches, dtype=np.float32) * share, patch_px, shape)
    error += _enlarge(rng.standard_normal(pairs, dtype=np.float32) * share, 2, shape)
    return error


def _enlarge(coarse: np.ndarray, factor: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return a new array: cells of `coarse` repeated `factor` times each way, cut to `shape`."""
    return np.repeat(np.repeat(coarse, factor, axis=0), factor, axis=1)[
        : shape[0], : shape[1]
    ].copy()
