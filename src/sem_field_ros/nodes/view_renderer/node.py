"""Node `view_renderer`: camera frames in, views of anywhere out. Life cycle: nodes/camera_node.py."""

from __future__ import annotations

import sys
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray

from sem_field_ros.camera_stream.topics import RENDERER
from sem_field_ros.errors import SettingError
from sem_field_ros.fields.common.posed_images import SceneOptions
from sem_field_ros.fields.registry import open_named
from sem_field_ros.measurements import resident_mb
from sem_field_ros.nodes.camera_node import CameraNode, run_node
from sem_field_ros.nodes.node_segmenter import make_node_segmenter
from sem_field_ros.nodes.view_renderer.diagnostics import RendererState, renderer_diagnostics
from sem_field_ros.nodes.view_renderer.options import DYNAMIC, ViewRendererOptions
from sem_field_ros.nodes.view_renderer.services import ViewServices
from sem_field_ros.nodes.view_renderer.session import RenderingSession
from sem_field_ros.nodes.view_renderer.statistics import ViewStatistics
from sem_field_ros.ros.parameters import settings_from_node
from sem_field_ros.scene import Bounded


class ViewRenderer(CameraNode[RenderingSession]):
    """See the module. Raises SettingError where a parameter given at start does not fit."""

    def __init__(self, name: str = RENDERER, **node_arguments: Any) -> None:
        self._statistics = ViewStatistics()
        super().__init__(name, (ViewRendererOptions,), DYNAMIC, **node_arguments)

    def _configure(self) -> tuple[RenderingSession, ViewServices, str]:
        options = settings_from_node(self, ViewRendererOptions)
        segmenter, labels = make_node_segmenter(options, options.label_width, options.device)
        scene = open_named(options.field, labels, SceneOptions(0, options.use_depth, options.device))
        if not isinstance(scene, Bounded):
            raise SettingError(f"field '{options.field}' cannot forget single keyframes, so its memory has no bound")
        session = RenderingSession(
            self, options, scene, segmenter, labels, self._statistics, self._input_statistics, self._input_group
        )
        services = ViewServices(self, session, self._statistics, self._service_group)
        line = (
            f"rendering with field '{options.field}' from at most {options.max_keyframes} keyframes in frame "
            f"'{options.global_frame}'; segmenter '{options.segmenter}', label set '{labels.name}'"
        )
        return session, services, line

    def _diagnostics_message(self, session: RenderingSession | None, notes: tuple[str, ...]) -> DiagnosticArray:
        options = settings_from_node(self, ViewRendererOptions) if session is None else session.options
        state = self._state(session, notes)
        return renderer_diagnostics(
            self.get_fully_qualified_name(),
            self._input_statistics.snapshot(),
            self._statistics.snapshot(),
            state,
            options,
        )

    def _state(self, session: RenderingSession | None, notes: tuple[str, ...]) -> RendererState:
        if session is None:
            return RendererState(self.lifecycle, False, 0, resident_mb(), notes=notes)
        source = session.input
        return RendererState(
            self.lifecycle,
            session.paused,
            source.waiting_frames if source is not None else 0,
            resident_mb(),
            {**session.numbers, "pixels_per_s": session.cost.pixels_per_s},
            dict(session.transforms.refused),
            notes,
            self._losses,
        )


def main(args: list[str] | None = None) -> int:
    """Run the node until it is interrupted."""
    return run_node(RENDERER, ViewRenderer, args)


if __name__ == "__main__":
    sys.exit(main())
