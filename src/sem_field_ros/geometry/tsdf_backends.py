"""The TSDF implementations by name. Open3D is imported only if it is chosen."""

from __future__ import annotations

from sem_field_ros.errors import SemFieldError
from sem_field_ros.geometry.tsdf import TsdfConfig, TsdfVolume


def make_tsdf(backend: str, config: TsdfConfig, capacity: int, device: str) -> TsdfVolume:
    """Make an empty volume: backend `open3d` (CPU or CUDA build of Open3D) or `torch`."""
    if backend == "open3d":
        from sem_field_ros.geometry.tsdf_open3d import Open3dTsdf

        return Open3dTsdf(config, capacity)
    if backend == "torch":
        from sem_field_ros.geometry.tsdf_torch import TorchTsdf

        return TorchTsdf(config, capacity, device)
    raise SemFieldError(f"TSDF backend '{backend}' is unknown: choose open3d or torch")
