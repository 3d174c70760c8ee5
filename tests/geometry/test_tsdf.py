"""TSDF volumes: both implementations on a wall known by hand, and against each other on random depth."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.tsdf import TsdfConfig
from sem_field_ros.geometry.tsdf_backends import make_tsdf
from sem_field_ros.geometry.voxel_names import BLOCK

CAMERA = Intrinsics(60, 60, 31.5, 23.5, 64, 48)
BACKENDS = ["open3d", "torch"]


def _integrate(volume, depth, color, T=np.eye(4)):
    keys = volume.visible_block_keys(depth, CAMERA, T)
    touched = volume.activate(keys)
    volume.integrate(keys, depth, color, CAMERA, CAMERA, T)
    return keys, touched


def _at(volume, i, j, k):
    """(tsdf, weight, color) of a lattice voxel."""
    key = torch.tensor([[i // BLOCK, j // BLOCK, k // BLOCK]], dtype=torch.int32)
    slot = int(volume.find(key)[0])
    assert slot >= 0
    v = i % BLOCK + BLOCK * (j % BLOCK) + BLOCK**2 * (k % BLOCK)
    return float(volume.tsdf[slot, v]), float(volume.weight[slot, v]), volume.color[slot, v].tolist()


@pytest.mark.parametrize("backend", BACKENDS)
def test_wall_at_one_metre(backend):
    volume = make_tsdf(backend, TsdfConfig(0.05, truncation_voxels=4), 256, "cpu")
    depth = np.ones((48, 64), np.float32)
    color = np.full((48, 64, 3), (200, 100, 50), np.uint8)
    _integrate(volume, depth, color)
    _integrate(volume, depth, color)
    for k, expected in [(17, 0.75), (19, 0.25), (20, 0.0), (21, -0.25), (23, -0.75)]:
        value, weight, rgb = _at(volume, 1, -2, k)
        assert value == pytest.approx(expected, abs=1e-3)
        assert weight == 2
        assert rgb == pytest.approx([200, 100, 50])


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_usable_depth_touches_nothing(backend):
    volume = make_tsdf(backend, TsdfConfig(0.05), 16, "cpu")
    for value in (0.0, 50.0, 0.01):
        keys, touched = _integrate(volume, np.full((48, 64), value, np.float32), np.zeros((48, 64, 3), np.uint8))
        assert len(keys) == len(touched.slots) == len(volume) == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_erased_blocks_come_back_empty_and_growth_keeps_content(backend):
    volume = make_tsdf(backend, TsdfConfig(0.05), 256, "cpu")
    depth, color = np.ones((48, 64), np.float32), np.full((48, 64, 3), 9, np.uint8)
    keys, touched = _integrate(volume, depth, color)
    before = volume.tsdf[volume.find(keys)].clone()
    old, new = volume.grow(1024)
    assert volume.capacity >= 1024 and len(old) == len(new) == len(keys)
    assert torch.equal(volume.tsdf[volume.find(keys)], before)
    volume.erase(keys)
    assert len(volume) == 0 and (volume.find(keys) == -1).all()
    touched = volume.activate(keys)
    assert touched.is_new.all()
    assert not volume.weight[touched.slots].any() and not volume.tsdf[touched.slots].any()
    assert not volume.activate(keys).is_new.any()


def test_the_two_implementations_agree():
    rng = np.random.default_rng(1)
    u, v = np.meshgrid(np.arange(64), np.arange(48))
    depth = (1.2 + 0.3 * np.sin(u / 9) + 0.2 * np.cos(v / 7)).astype(np.float32)
    depth[rng.random(depth.shape) < 0.05] = 0
    color = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    T = np.eye(4)
    T[:3, 3] = (0.3, -0.2, 0.1)
    fast, slow = (make_tsdf(b, TsdfConfig(0.04), 2048, "cpu") for b in BACKENDS)
    keys, _ = _integrate(fast, depth, color, T)
    slow.activate(keys)
    slow.integrate(keys, depth, color, CAMERA, CAMERA, T)
    a, b = fast.find(keys), slow.find(keys)
    same = fast.weight[a] == slow.weight[b]
    assert same.float().mean() > 0.98  # Open3D leaves out the outer half pixel of the image
    both = same & (fast.weight[a] > 0)
    assert both.sum() > 5000
    assert (fast.tsdf[a] - slow.tsdf[b]).abs()[both].quantile(0.99) < 2e-3
    assert (fast.color[a] - slow.color[b]).abs()[both].quantile(0.98) < 1
    own = {tuple(k) for k in slow.visible_block_keys(depth, CAMERA, T).tolist()}
    theirs = {tuple(k) for k in keys.tolist()}
    assert len(own & theirs) / len(own | theirs) > 0.8


@pytest.mark.parametrize("backend", BACKENDS)
def test_depth_at_a_few_pixels_is_no_error(backend):
    """Both look for blocks at every 4th pixel only: what lies between touches nothing, or its own block."""
    volume = make_tsdf(backend, TsdfConfig(0.05), 256, "cpu")
    for row, column in [(1, 1), (2, 3), (24, 32), (47, 63)]:
        depth = np.zeros((48, 64), np.float32)
        depth[row, column] = 1.0
        assert volume.visible_block_keys(depth, CAMERA, np.eye(4)).shape[1] == 3
