"""The 3-D scene of the viewer: its nodes, replaced without flicker."""

from __future__ import annotations

import numpy as np
import viser

from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.glb import encode_glb
from sem_field_ros.geometry.poses import quaternion_from_pose
from sem_field_ros.viewer.mesh_chunks import Chunk, ChunkMesh
from sem_field_ros.viewer.tone_mapping import mesh_colors

_FRUSTUM_COLOR = (255, 140, 0)
_PATH_COLOR = (255, 170, 60)
_MARKER_COLOR = (20, 20, 20)
_FRUSTUM_M = 0.25
_FOV, _ASPECT = float(np.radians(45.0)), 4 / 3  # until CameraInfo comes


class Scene:
    """Nodes of the viser scene. Called from one thread."""

    def __init__(self, server: viser.ViserServer) -> None:
        self._scene = server.scene
        self._points: viser.PointCloudHandle | None = None
        self._mesh: dict[Chunk, tuple[viser.GlbHandle, int]] = {}
        self._replaced: list[viser.GlbHandle] = []
        self._outgoing: list[viser.GlbHandle] = []
        self._camera = server.scene.add_frame("/camera", show_axes=False)
        self._frustum: viser.CameraFrustumHandle | None = None
        self._path: viser.LineSegmentsHandle | None = None
        self._marker: viser.IcosphereHandle | None = None

    def set_points(self, points: np.ndarray, colors: np.ndarray, size_m: float) -> None:
        """Show points [N, 3] with colours [N, 3] in place of those shown; an empty array removes the cloud."""
        if len(points) == 0:
            if self._points is not None:
                self._points.remove()
                self._points = None
            return
        self._points = self._scene.add_point_cloud(
            "/map/points",
            points,
            colors,
            point_size=size_m,
            point_shape="circle",
            point_shading="flat",
            precision="float32",
        )

    def set_point_size(self, size_m: float) -> None:
        """Change the size of the shown points."""
        if self._points is not None and self._points.point_size != size_m:
            self._points.point_size = size_m

    def set_mesh(self, chunk: Chunk, mesh: ChunkMesh | None) -> None:
        """Show a chunk's mesh in place of the one shown.

        The browser needs a moment to unpack it: the old one stays until `clear_outgoing`, under another name.
        """
        old, parity = self._mesh.pop(chunk, (None, 1))
        if old is not None:
            self._replaced.append(old)
        if mesh is not None:
            name = "/map/mesh/{}_{}_{}".format(*chunk) + f"/{1 - parity}"
            # walls are transparent from behind, so that you can look into a room from outside
            glb = encode_glb(mesh.vertices, mesh_colors(mesh.colors), mesh.faces, double_sided=False)
            handle = self._scene.add_glb(name, glb, cast_shadow=False)
            self._mesh[chunk] = (handle, 1 - parity)

    def shown_chunks(self) -> list[Chunk]:
        """Chunks with a mesh in the scene."""
        return list(self._mesh)

    def clear_outgoing(self) -> bool:
        """Remove the meshes that were replaced before the last call; True if some are left for the next."""
        for handle in self._outgoing:
            handle.remove()
        self._outgoing, self._replaced = self._replaced, []
        return bool(self._outgoing)

    def set_camera(self, T_world_camera: np.ndarray, camera: Intrinsics | None) -> None:
        """Move the camera's frustum."""
        x, y, z, w = quaternion_from_pose(T_world_camera)
        fov = 2 * float(np.arctan2(camera.height / 2, camera.fy)) if camera else _FOV
        aspect = camera.width / camera.height if camera else _ASPECT
        if self._frustum is None:
            self._frustum = self._scene.add_camera_frustum(
                "/camera/frustum", fov, aspect, scale=_FRUSTUM_M, thickness=0.008, color=_FRUSTUM_COLOR
            )
        if (self._frustum.fov, self._frustum.aspect) != (fov, aspect):
            self._frustum.fov, self._frustum.aspect = fov, aspect
        self._frustum.wxyz, self._frustum.position = np.array([w, x, y, z]), T_world_camera[:3, 3]

    def show_camera(self, visible: bool) -> None:
        """Show or hide the camera and its path."""
        self._camera.visible = visible

    def set_frustum_image(self, image: np.ndarray | None) -> None:
        """Show an image [h, w, 3] uint8 in the frustum."""
        if self._frustum is not None:
            self._frustum.image = image

    def set_path(self, segments: np.ndarray) -> None:
        """Show the camera's path: line segments [S, 2, 3]."""
        if len(segments) == 0:
            if self._path is not None:
                self._path.remove()
                self._path = None
            return
        self._path = self._scene.add_line_segments(
            "/camera/path", segments, _PATH_COLOR, thickness=2.5, thickness_units="screen"
        )

    def set_marker(self, position: np.ndarray | None, radius_m: float = 0.0) -> None:
        """Mark the clicked point [3] by a small sphere; None removes it."""
        if self._marker is not None:
            self._marker.remove()
            self._marker = None
        if position is not None:
            self._marker = self._scene.add_icosphere(
                "/picked", radius_m, _MARKER_COLOR, position=position, cast_shadow=False, receive_shadow=False
            )
