"""Node `semantic_mapper`: colour, depth and TF in, a live semantic map out. Life cycle: nodes/camera_node.py."""

from __future__ import annotations

import sys
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray

from sem_field_ros.camera_stream.topics import MAPPER
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.measurements import resident_mb
from sem_field_ros.nodes.camera_node import CameraNode, run_node
from sem_field_ros.nodes.mapper.diagnostics import MapperState, mapper_diagnostics
from sem_field_ros.nodes.mapper.options import DYNAMIC, MapperOptions
from sem_field_ros.nodes.mapper.services import MapperServices
from sem_field_ros.nodes.mapper.session import MappingSession
from sem_field_ros.nodes.mapper.statistics import MappingStatistics
from sem_field_ros.nodes.node_segmenter import make_node_segmenter
from sem_field_ros.ros.parameters import settings_from_node


class SemanticMapper(CameraNode[MappingSession]):
    """See the module. Raises SettingError where a parameter given at start does not fit."""

    def __init__(self, name: str = MAPPER, **node_arguments: Any) -> None:
        self._statistics = MappingStatistics()
        super().__init__(name, (MapperOptions, MapConfig), DYNAMIC, **node_arguments)

    def _configure(self) -> tuple[MappingSession, MapperServices, str]:
        options, config = settings_from_node(self, MapperOptions), settings_from_node(self, MapConfig)
        segmenter, labels = make_node_segmenter(options, config.label_width, config.device)
        session = MappingSession(
            self,
            options,
            config,
            segmenter,
            labels,
            self._statistics,
            self._input_statistics,
            self._input_group,
        )
        line = (
            f"mapping in frame '{options.global_frame}' with {100 * config.voxel_size_m:g} cm voxels; "
            f"segmenter '{options.segmenter}', {len(labels)} classes of label set '{labels.name}'"
        )
        return session, MapperServices(self, session, self._service_group), line

    def _diagnostics_message(self, session: MappingSession | None, notes: tuple[str, ...]) -> DiagnosticArray:
        options = settings_from_node(self, MapperOptions) if session is None else session.options
        received, mapped = self._input_statistics.snapshot(), self._statistics.snapshot()
        return mapper_diagnostics(
            self.get_fully_qualified_name(), received, mapped, self._state(session, notes), options
        )

    def _state(self, session: MappingSession | None, notes: tuple[str, ...]) -> MapperState:
        if session is None:
            return MapperState(self.lifecycle, False, 0, {}, resident_mb(), notes=notes)
        source = session.input
        return MapperState(
            lifecycle=self.lifecycle,
            paused=session.paused,
            waiting_frames=source.waiting_frames if source is not None else 0,
            map_stats=session.map_stats,
            resident_mb=resident_mb(),
            refused_transforms=dict(session.transforms.refused),
            notes=notes,
            losses=self._losses,
        )


def main(args: list[str] | None = None) -> int:
    """Run the node until it is interrupted."""
    return run_node(MAPPER, SemanticMapper, args)


if __name__ == "__main__":
    sys.exit(main())
