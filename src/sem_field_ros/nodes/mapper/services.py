"""Services of the mapper node: reset, pause, save_map, load_map, query_points. Work on the map goes to its thread."""

from __future__ import annotations

import array
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
from geometry_msgs.msg import Point
from rclpy.callback_groups import CallbackGroup
from rclpy.lifecycle import LifecycleNode
from sem_field_msgs.srv import LoadMap, QueryPoints, SaveMap
from std_srvs.srv import SetBool, Trigger

from sem_field_ros.camera_stream.pairing import stamp_ns_of
from sem_field_ros.camera_stream.topics import QUERY_POINTS, own
from sem_field_ros.errors import FrameError, MapFileError, SemFieldError
from sem_field_ros.geometry.poses import transform_points
from sem_field_ros.labels import LabelSet
from sem_field_ros.mapping.files.map_file import MapState, list_maps, load_map, save_map
from sem_field_ros.mapping.files.map_folder import MANIFEST_SUFFIX
from sem_field_ros.nodes.mapper.session import MappingSession
from sem_field_ros.surface import PointSamples, known

DEFAULT_MAP_NAME = "map"
MAX_QUERY_POINTS = 500_000


class MapperServices:
    """Exists while the node is configured. Each answer reports what was done, or why not and what to do."""

    def __init__(self, node: LifecycleNode, session: MappingSession, group: CallbackGroup) -> None:
        self._node, self._session = node, session
        kinds = [
            (Trigger, "reset", self._reset),
            (SetBool, "pause", self._pause),
            (SaveMap, "save_map", self._save_map),
            (LoadMap, "load_map", self._load_map),
            (QueryPoints, QUERY_POINTS, self._query_points),
        ]
        self._services = [
            node.create_service(kind, own(name), self._answering(serve, name), callback_group=group)
            for kind, name, serve in kinds
        ]

    def close(self) -> None:
        """Withdraw the services."""
        for service in self._services:
            self._node.destroy_service(service)
        self._services = []

    def _answering(self, serve: Callable[[Any, Any], str], name: str) -> Callable[[Any, Any], Any]:
        """Wrap a verb so that it always answers: its text with success, or the error's one line without."""

        def answer(request: Any, response: Any) -> Any:
            try:
                response.message = serve(request, response)
                response.success = True
            except SemFieldError as error:
                response.message = str(error)
            except Exception as error:  # noqa: BLE001 (an exception here would end the node)
                response.message = f"{name} failed inside the node: {type(error).__name__}: {error}"
                self._node.get_logger().error(response.message + "\n" + traceback.format_exc())
            return response

        return answer

    def _call(self, job: Callable[[], Any], what: str) -> Any:
        return self._session.worker.call(job, self._session.options.service_timeout_s, what)

    def _reset(self, request: Any, response: Any) -> str:
        self._call(self._session.reset, "reset")
        return "the map is empty"

    def _pause(self, request: Any, response: Any) -> str:
        self._session.set_paused(request.data)
        return "mapping is paused" if request.data else "mapping goes on"

    def _save_map(self, request: Any, response: Any) -> str:
        directory, name = self._session.options.maps_directory, _map_name(request.path)
        if not request.overwrite and name in list_maps(directory):
            raise MapFileError(f"map '{name}' exists in {directory}: choose another name or set overwrite")
        state = self._call(self._session.submaps.state, "save_map")
        path = save_map(directory, name, MapState(state.arrays, {**state.header, **self._session.describe()}))
        response.path = str(path)
        return f"saved map '{name}' with {len(state.arrays['block_keys'])} blocks as {path}"

    def _load_map(self, request: Any, response: Any) -> str:
        session = self._session
        name = _map_name(request.path)
        state = load_map(session.options.maps_directory, name)
        frame_id = state.header.get("frame_id", session.options.global_frame)
        if frame_id != session.options.global_frame:
            raise MapFileError(
                f"map '{name}' is in frame '{frame_id}', this node maps in '{session.options.global_frame}': "
                "set global_frame to it"
            )

        def replace() -> None:
            session.submaps.load(state, session.submaps.mapper.config)
            session.output.map_replaced()

        self._call(replace, "load_map")
        return f"loaded map '{name}' with {len(state.arrays['block_keys'])} blocks"

    def _query_points(self, request: Any, response: Any) -> str:
        session = self._session
        if len(request.points) > MAX_QUERY_POINTS:
            raise FrameError(f"{len(request.points)} points in one query: ask for at most {MAX_QUERY_POINTS}")
        points = np.array([(p.x, p.y, p.z) for p in request.points], dtype=np.float64).reshape(-1, 3)
        frame_id = request.header.frame_id or session.options.global_frame
        T_map_query = session.transforms.lookup(session.options.global_frame, frame_id, stamp_ns_of(request))
        samples = self._call(lambda: session.submaps.query(transform_points(T_map_query, points)), QUERY_POINTS)
        fill_query_response(response, samples, session.labels)
        return ""


def fill_query_response(response: Any, samples: PointSamples, labels: LabelSet) -> None:
    """Write the answers for N points into a QueryPoints response."""
    names = np.array([*labels.names, ""])  # the last: index -1, unlabelled
    response.label_set = labels.name
    response.class_ids = array.array("H", labels.ids.tolist())
    response.class_names = list(labels.names)
    response.labels = array.array("H", labels.to_id(samples.labels).tolist())
    response.label_names = names[samples.labels].tolist()
    response.confidence = array.array("f", samples.confidence.tolist())
    response.signed_distance_m = array.array("f", known(samples.sdf).tolist())
    response.num_classes = len(labels)
    response.probabilities = array.array("f", known(samples.probabilities).reshape(-1).tolist())


def points_to_msgs(points: np.ndarray) -> list[Point]:
    """Points [N, 3] -> messages, for a QueryPoints request."""
    return [Point(x=float(x), y=float(y), z=float(z)) for x, y, z in points]


def _map_name(path: str) -> str:
    """The map's name in a request: without the manifest's extension; empty = the default."""
    return path.removesuffix(MANIFEST_SUFFIX) or DEFAULT_MAP_NAME
