"""Node `demo_recorder`: records what the mapper publishes while a sequence plays, then writes the results and ends.

start the mapper -> receive frames, clouds, mesh blocks, diagnostics -> the player ends -> the mapper is idle
-> semantic_cloud.ply, mesh.ply, preview.png, report.json
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python

from sem_field_ros.camera_stream.topics import MAPPER, PLAYER, RECORDER, SEMANTIC_MESH
from sem_field_ros.datasets.open_sequence import open_sequence
from sem_field_ros.errors import SemFieldError
from sem_field_ros.exit_codes import DONE, FAILED, INTERRUPTED, REFUSED
from sem_field_ros.labels import load_label_set
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.measurements import peak_rss_mb
from sem_field_ros.nodes.mapper.statistics import ARRIVAL_TO_CLOUD
from sem_field_ros.nodes.recorder.recorded_map import coverage, recorded_surface
from sem_field_ros.nodes.recorder.results import Recording, write_recording
from sem_field_ros.nodes.recorder.topics import RecordedTopics
from sem_field_ros.results.report import MapReport
from sem_field_ros.ros.parameters import declare_settings, settings_from_node
from sem_field_ros.ros.spinning import spinning_beside, start_node
from sem_field_ros.settings import check_settings, setting, settings_of

_PROGRESS_S = 1.0  # a line of progress this often
_QUIET_S = 1.5  # no new cloud for this long: the last one is out
_MESH_S = 15.0  # a whole mesh comes within this, or it is written as it is


class RecorderError(SemFieldError):
    """The recording cannot go on."""


@dataclass(frozen=True)
class RecorderOptions:
    """Parameters of the node `demo_recorder`."""

    out: str = setting("out/demo", "folder that the results are written into")
    sequence: str = setting("", "the sequence that is played: its name and, where it has labels, the truth to score by")
    sequence_label_set: str = setting("", "label set of the sequence's label images; empty = the one it names")
    start_s: float = setting(0.0, "the player skips this much of the beginning", minimum=0.0)
    duration_s: float = setting(0.0, "the player plays only this long from there; 0 = to the end", minimum=0.0)
    label_set: str = setting("", "label set of the map, for colours; empty = by the names in label_info")
    global_frame: str = setting("map", "frame of the map")
    mapper: str = setting(MAPPER, "name of the mapper node")
    player: str = setting(PLAYER, "name of the player node")
    start_mapper: bool = setting(True, "configure and activate the mapper (start it with autostart: false)")
    mapper_pid: int = setting(0, "the mapper's process, for its peak memory; 0 = from its diagnostics", minimum=0)
    start_timeout_s: float = setting(180.0, "the mapper and the first frame come within this", minimum=1.0)
    stall_timeout_s: float = setting(60.0, "frames come at least this often until the player ends", minimum=1.0)
    settle_timeout_s: float = setting(60.0, "the mapper becomes idle within this after the last frame", minimum=0.0)

    def __post_init__(self) -> None:
        check_settings(self)


class DemoRecorder(Node):
    """See the module; `record` does it all while another thread spins the node."""

    def __init__(self, **node_arguments: Any) -> None:
        super().__init__(RECORDER, **node_arguments)
        declare_settings(self, RecorderOptions)
        self.options = settings_from_node(self, RecorderOptions)
        o = self.options
        self._labels = load_label_set(o.label_set) if o.label_set else None
        self._sequence = None
        if o.sequence:
            self._sequence = open_sequence(
                o.sequence,
                label_set=o.sequence_label_set or None,
                start_s=o.start_s,
                duration_s=o.duration_s or None,
            )
        self.topics = RecordedTopics(self, o.mapper, o.player, o.global_frame)
        self.stopping = threading.Event()
        self._shown_s = 0.0

    def record(self) -> MapReport:
        """Record until the player ends and write the files. Raises SemFieldError with one line."""
        if self.options.start_mapper:
            self._change_state(Transition.TRANSITION_CONFIGURE, "configured")
            # the player begins when the mapper listens: by then its frames must reach this node too
            self._wait(self.topics.camera_found, self.options.start_timeout_s, f"{self.options.player} did not come up")
            self._change_state(Transition.TRANSITION_ACTIVATE, "activated")
        parameters = self._mapper_parameters()
        self._listen()
        settled = self._settle()
        whole = self._whole_mesh()
        return self._write(parameters, [] if settled and whole else ["the mapper was not idle at the end"])

    # --- stages

    def _change_state(self, transition: int, word: str) -> None:
        o = self.options
        client: Any = self.create_client(ChangeState, f"{o.mapper}/change_state")
        self._wait(client.service_is_ready, o.start_timeout_s, f"{o.mapper} did not come up")
        future = client.call_async(ChangeState.Request(transition=Transition(id=transition)))
        self._wait(future.done, o.start_timeout_s, f"{o.mapper} could not be {word} in {o.start_timeout_s:g} s")
        result = future.result()
        if result is None or not result.success:
            raise RecorderError(f"{o.mapper} could not be {word}; the reason is above and in its log")

    def _mapper_parameters(self) -> dict[str, object]:
        """The mapper's own values of `segmenter` and of what MapConfig names."""
        names = ["segmenter", *(item.name for item in settings_of(MapConfig))]
        client: Any = self.create_client(GetParameters, f"{self.options.mapper}/get_parameters")
        self._wait(client.service_is_ready, 10.0, f"{self.options.mapper} does not answer with its parameters")
        future = client.call_async(GetParameters.Request(names=names))
        self._wait(future.done, 10.0, f"{self.options.mapper} does not answer with its parameters")
        result = future.result()
        values = [] if result is None else [parameter_value_to_python(value) for value in result.values]
        return dict(zip(names, values, strict=False))

    def _listen(self) -> None:
        """Wait until the player ends."""
        o, topics = self.options, self.topics
        self._wait(lambda: topics.frames_in or topics.finished, o.start_timeout_s, "no camera frame came")
        while not topics.finished:
            self._pause()
            if time.monotonic() - topics.last_frame_s > o.stall_timeout_s:
                raise RecorderError(
                    f"no camera frame came for {o.stall_timeout_s:g} s although {o.player} has not ended"
                )
        if topics.frames_in == 0:
            raise RecorderError(f"{o.player} ended but no camera frame came")

    def _settle(self) -> bool:
        """Wait until the mapper has mapped or dropped every frame and published the result; False after a while."""
        deadline = time.monotonic() + self.options.settle_timeout_s
        while time.monotonic() < deadline:
            count, before = self.topics.status_count, self.topics.status.done
            while self.topics.status_count <= count + 1 and time.monotonic() < deadline:
                self._pause()
            status, quiet_s = self.topics.status, time.monotonic() - self.topics.last_cloud_s
            if status.waiting_frames == 0 and status.done == before and quiet_s > _QUIET_S:
                return True
        return False

    def _whole_mesh(self) -> bool:
        """Make sure that every point of the cloud is on the recorded mesh; ask for the whole mesh where not."""
        if coverage(self.topics.mesh_corners(), self.topics.cloud()) == 1:
            return True
        self.topics.renew_mesh()
        deadline = time.monotonic() + _MESH_S
        while time.monotonic() < deadline:
            count = self.topics.counts[SEMANTIC_MESH]
            self._pause(0.5)
            changed = self.topics.counts[SEMANTIC_MESH] > count
            if changed and coverage(self.topics.mesh_corners(), self.topics.cloud()) == 1:
                return True
        return False

    def _write(self, parameters: dict[str, object], notes: list[str]) -> MapReport:
        o, topics = self.options, self.topics
        labels = topics.labels(self._labels)
        surface = recorded_surface(topics.mesh_corners(), topics.cloud(), labels)
        peak = peak_rss_mb(o.mapper_pid) if o.mapper_pid else math.nan
        recording = Recording(
            surface=surface,
            labels=labels,
            poses=topics.poses(),
            sequence=self._sequence,
            parameters=parameters,
            status=topics.status,
            drops=self._drops(),
            frames_in=max(topics.frames_in, topics.status.frames_in),
            span_s=topics.span_s,
            played_s=topics.played_s,
            peak_rss_mb=topics.peak_resident_mb if math.isnan(peak) else peak,
            messages=dict(topics.counts),
            notes=notes,
        )
        self._say("writing the results")
        return write_recording(Path(o.out), recording)

    def _drops(self) -> dict[str, int]:
        """Lost frames by cause, as the mapper counts them, and those that never reached it."""
        status = self.topics.status
        unheard = self.topics.frames_in - status.frames_in if self.topics.finished and self.topics.status_count else 0
        return {**status.drops, **({"not_received": unheard} if unheard > 0 else {})}

    # --- waiting

    def _wait(self, condition: Callable[[], object], timeout_s: float, otherwise: str) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            self._pause()
            if time.monotonic() > deadline:
                raise RecorderError(f"{otherwise} (waited {timeout_s:g} s)")

    def _pause(self, seconds: float = 0.05) -> None:
        if self.stopping.wait(seconds):
            raise RecorderError("interrupted")
        if time.monotonic() - self._shown_s >= _PROGRESS_S:
            self._shown_s = time.monotonic()
            self._say(self._progress_line())

    def _progress_line(self) -> str:
        topics, status = self.topics, self.topics.status
        if not topics.frames_in:
            return f"waiting for the nodes ({self.options.mapper}: {status.state or 'starting'})"
        drops = self._drops()
        dropped = f", dropped {sum(drops.values())} ({', '.join(sorted(drops))})" if drops else ""
        p95 = status.timings_ms.get(ARRIVAL_TO_CLOUD, {}).get("p95")  # in real time, at any speed of the replay
        latency = "" if p95 is None else f", image to cloud p95 {p95:.0f} ms"
        return (
            f"{100 * topics.progress:3.0f} %  frames {topics.frames_in}, mapped {status.frames_mapped}{dropped}, "
            f"{topics.mesh_triangles} triangles{latency}"
        )

    def _say(self, line: str) -> None:
        print(line, flush=True)


def main(args: list[str] | None = None) -> int:
    """Run the node until the results are written; 0 then, 1 with one line on stderr where that failed."""
    recorder = start_node(RECORDER, DemoRecorder, args)
    if recorder is None:
        return REFUSED
    with spinning_beside(recorder, recorder.stopping):
        try:
            recorder.record()
        except SemFieldError as error:
            print(f"{RECORDER}: {error}", file=sys.stderr, flush=True)
            return FAILED
        except KeyboardInterrupt:
            return INTERRUPTED
    return DONE


if __name__ == "__main__":
    sys.exit(main())
