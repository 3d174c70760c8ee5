"""Undoes the renderer's tone mapping, so that label colours on the mesh are those of the legend.

Viser draws meshes with three.js' ACESFilmicToneMapping. The colours handed to it are those that it maps to the wanted
ones; a few saturated ones are out of its reach and come out a little paler.
"""

from __future__ import annotations

import numpy as np

_A, _B, _C, _D, _E = 0.0245786, 0.000090537, 0.983729, 0.4329510, 0.238081
_ACES_INPUT = np.array([[0.59719, 0.35458, 0.04823], [0.07600, 0.90834, 0.01566], [0.02840, 0.13383, 0.83777]])
_ACES_OUTPUT = np.array([[1.60475, -0.53108, -0.07367], [-0.10208, 1.10813, -0.00605], [-0.00327, -0.07276, 1.07602]])


def mesh_colors(colors: np.ndarray) -> np.ndarray:
    """Colours on the screen, [V, 3] uint8 sRGB -> linear colours [V, 3] float32 to draw with, above 1 if bright."""
    return before_tone_mapping(_LINEAR[colors]).astype(np.float32)


def before_tone_mapping(color: np.ndarray) -> np.ndarray:
    """Linear colours [N, 3] in [0, 1] on the screen -> those that three.js' ACES curve (exposure 1) maps to them.

    The curve is Stephen Hill's fit of RRT and ODT, y = (v^2 + a v - b) / (c v^2 + d v + e), between two matrices.
    """
    y = np.clip(color @ np.linalg.inv(_ACES_OUTPUT).T, 0.0, 1.0)
    quadratic, linear, constant = 1 - _C * y, _A - _D * y, -_B - _E * y
    v = (-linear + np.sqrt(np.maximum(linear**2 - 4 * quadratic * constant, 0))) / (2 * quadratic)
    return np.maximum(v @ np.linalg.inv(_ACES_INPUT).T * 0.6, 0.0)


def tone_mapped(color: np.ndarray) -> np.ndarray:
    """Linear colours [N, 3] -> linear colours on the screen, as three.js does."""
    v = color / 0.6 @ _ACES_INPUT.T
    return np.clip((v * (v + _A) - _B) / (v * (_C * v + _D) + _E) @ _ACES_OUTPUT.T, 0.0, 1.0)


def _linear_table() -> np.ndarray:
    """sRGB 0..255 -> linear [0, 1] (IEC 61966-2-1)."""
    s = np.arange(256) / 255.0
    return np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)


_LINEAR = _linear_table()
