"""The mapper node's process and its disk: interrupts, kills, full and read-only disks, paths and files not to trust."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sem_field_msgs.srv import LoadMap, SaveMap
from std_srvs.srv import Trigger

from sem_field_ros.errors import MapFileError
from sem_field_ros.mapping.files import safetensors_stream
from sem_field_ros.mapping.files.map_file import list_maps, load_map
from tests.ros.conftest import RosHarness
from tests.ros.fake_robot import FakeRobot, MapperListener
from tests.ros.mapper_harness import Harness, running_mapper


@pytest.fixture(scope="module")
def mapper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    maps = tmp_path_factory.mktemp("root") / "maps"
    with running_mapper(maps_directory=str(maps)) as harness:
        harness.maps = maps
        harness.map_frames(4)
        assert save(harness, "good").success
        yield harness
        harness.map_frames(3)


def save(harness: Harness, path: str, overwrite: bool = True) -> SaveMap.Response:
    return harness.call(SaveMap, "save_map", SaveMap.Request(path=path, overwrite=overwrite))


def load(harness: Harness, path: str) -> LoadMap.Response:
    return harness.call(LoadMap, "load_map", LoadMap.Request(path=path))


# -- paths


@pytest.mark.parametrize(
    "path", ["../outside", "/tmp/outside", "a/b", "..", ".hidden", "x" * 300, "~/map", "a\nb", "${HOME}"]
)
def test_paths_that_leave_the_directory_are_refused(mapper: Harness, path: str) -> None:
    before = sorted(p.name for p in mapper.maps.parent.rglob("*"))
    for response in (save(mapper, path), load(mapper, path)):
        assert not response.success
        assert response.message and "\n" not in response.message
    assert sorted(p.name for p in mapper.maps.parent.rglob("*")) == before


def test_a_link_out_of_the_directory_is_not_followed(mapper: Harness, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not yours")
    (mapper.maps / "link.semmap.json").symlink_to(secret)
    assert not load(mapper, "link").success
    save(mapper, "link")
    assert secret.read_text() == "not yours"


# -- disks


def test_a_full_disk_keeps_the_previous_map(mapper: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    real = safetensors_stream.write_safetensors

    def full(file, arrays):
        real(file, dict(list(arrays.items())[:1]))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("sem_field_ros.mapping.files.map_file.write_safetensors", full)
    response = save(mapper, "good")
    assert not response.success and "No space left on device" in response.message
    monkeypatch.undo()
    assert load(mapper, "good").success
    assert not list(mapper.maps.glob("*.tmp")), "nothing half-written stays"


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    """A file where the maps directory should be: the service says so, the node lives (root ignores mode bits)."""
    (tmp_path / "file").write_text("")
    with running_mapper(maps_directory=str(tmp_path / "file" / "maps")) as harness:
        harness.map_frames(2)
        response = save(harness, "map")
        assert not response.success and "Not a directory" in response.message
        harness.map_frames(2)


# -- damaged files


@pytest.mark.parametrize("part", ["*.semmap.json", "*.safetensors"])
def test_damaged_maps_are_refused_and_the_map_stays(mapper: Harness, part: str) -> None:
    assert save(mapper, "damaged").success
    file = next(mapper.maps.glob("damaged" + part))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    mapper.spin(0.6)
    mapper.settle()
    blocks = mapper.count("blocks")
    response = load(mapper, "damaged")
    assert not response.success and "\n" not in response.message
    mapper.spin(0.6)
    mapper.settle()
    assert mapper.count("blocks") == blocks > 0


def test_a_map_that_does_not_exist(mapper: Harness) -> None:
    response = load(mapper, "atlantis")
    assert not response.success and "atlantis" in response.message and "good" in response.message


# -- the process


def start_mapper(
    ros: RosHarness, module: str, *arguments: str, **parameters: object
) -> tuple[FakeRobot, MapperListener]:
    """Start a mapper process and a robot that it hears."""
    node = ros.node("robot")
    robot, listener = FakeRobot(node), MapperListener(node)
    fast = {"segmenter": "external", "diagnostics_rate_hz": 20.0, "keyframe_distance_m": 0.0}
    ros.start(module, *arguments, **fast | parameters)
    ros.spin_until(robot.ready, 30, "the mapper's subscriptions")
    return robot, listener


def map_until(ros: RosHarness, robot: FakeRobot, listener: MapperListener, frames: int = 3) -> None:
    def mapped() -> bool:
        robot.say()
        ros.spin_for(0.05)
        return listener.count("frames_mapped") >= frames

    ros.spin_until(mapped, 20, f"{frames} mapped frames")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 0)])
def test_an_interrupt_mid_inference_ends_quickly_and_cleanly(
    ros: RosHarness, number: signal.Signals, code: int, tmp_path: Path
) -> None:
    """Inference takes 1 s a keyframe; the signal comes in the middle of one."""
    robot, listener = start_mapper(ros, "tests.ros.odd_segmenters", "1.0", maps_directory=str(tmp_path))
    for _ in range(10):
        robot.say()
        ros.spin_for(0.05)
    process = ros.processes[-1]
    start = time.monotonic()
    process.send_signal(number)
    assert ros.wait(process, 10) == code, ros.output()
    assert time.monotonic() - start < 8  # 1 to 3 s where the machine has nothing else to do
    output = ros.output()
    assert "Traceback" not in output and "terminate called" not in output and "core dumped" not in output


def test_inference_that_never_ends_does_not_hold_up_the_end(ros: RosHarness) -> None:
    robot, _ = start_mapper(ros, "tests.ros.odd_segmenters", "60")
    robot.say()
    ros.spin_for(0.5)
    process = ros.processes[-1]
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert ros.wait(process, 15) == 0, ros.output()
    assert time.monotonic() - start < 12


def test_kill_9_during_saves_leaves_a_loadable_map(ros: RosHarness, tmp_path: Path) -> None:
    """Saves follow each other without pause while the process is killed; whoever comes next loads a whole map."""
    module, maps = "sem_field_ros.nodes.mapper.node", tmp_path / "maps"
    for life in range(3):
        robot, listener = start_mapper(ros, module, maps_directory=str(maps))
        process = ros.processes[-1]
        if life:
            answer = ros.call(robot.node, LoadMap, "/semantic_mapper/load_map", LoadMap.Request(path="map"))
            assert answer.success, answer.message
        map_until(ros, robot, listener)
        request = SaveMap.Request(path="map", overwrite=True)
        assert ros.call(robot.node, SaveMap, "/semantic_mapper/save_map", request).success
        client = robot.node.create_client(SaveMap, "/semantic_mapper/save_map")
        ros.spin_until(client.service_is_ready, 10, "the service")
        for _ in range(50):
            client.call_async(request)
        killer = threading.Timer(0.13 + 0.11 * life, os.killpg, (process.pid, signal.SIGKILL))
        killer.start()
        assert ros.wait(process, 10) == -signal.SIGKILL
        assert load_map(maps, "map").arrays["block_keys"].size > 0
        ros.executor.remove_node(robot.node)
        robot.node.destroy_node()
    assert list_maps(maps) == ["map"]


def test_a_bad_parameter_ends_the_start_with_one_line(ros: RosHarness) -> None:
    process = ros.start("sem_field_ros.nodes.mapper.node", voxel_size_m=-1.0)
    assert ros.wait(process, 30) == 2
    lines = [line for line in ros.output().splitlines() if "voxel_size_m" in line]
    assert len(lines) == 1 and "got -1" in lines[0]
    assert "Traceback" not in ros.output()


def test_the_reset_service_works_after_all_this(mapper: Harness) -> None:
    assert mapper.call(Trigger, "reset").success
    with pytest.raises(MapFileError):
        load_map(mapper.maps, "../good")
