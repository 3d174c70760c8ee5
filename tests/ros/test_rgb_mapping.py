"""The mapper node without a depth camera, over real DDS: `depth_source: predicted` maps from colour and poses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sem_field_ros.camera_stream.pairing import stamp_ns_of
from sem_field_ros.depth.network import StereoNet, tiny
from sem_field_ros.depth.predictor import WindowedDepth
from sem_field_ros.ros.clouds import cloud_from_msg
from sem_field_ros.weights import WeightsCard, save_weights
from tests.ros.domains import claimed_domain
from tests.ros.fake_robot import CHAIR, TABLE, WALL_Z
from tests.ros.mapper_harness import Harness


class KnowsTheWall:
    """A ViewEstimator in place of a trained one."""

    def prepare(self, frame):
        return None

    def depth(self, reference, frames, prepared):
        return np.full((60, 80), WALL_Z, np.float32)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    torch.manual_seed(0)
    model = StereoNet(tiny())
    save_weights(
        path, model.state_dict(), WeightsCard("stereo_depth", model.config.as_dict(), output={"image_width": 80})
    )
    return path


def test_colour_and_poses_make_a_labelled_map(weights: Path) -> None:
    with claimed_domain() as domain:
        harness = Harness(domain, depth_source="predicted", depth_weights=str(weights))
        try:
            robot = harness.robot
            heard = (robot._color, robot._info, robot._labels, robot._tf)
            harness.spin_until(lambda: all(p.get_subscription_count() for p in heard), "the mapper's subscriptions")
            assert robot._depth.get_subscription_count() == 0
            mapper = harness.mapper._session.submaps.mapper
            assert isinstance(mapper.depth_predictor, WindowedDepth)
            mapper.depth_predictor = WindowedDepth(KnowsTheWall())
            stamps = [robot.say(x=0.06 * i, depth=None) for i in range(2)]
            harness.wait_for_count("frames_mapped", 2)  # taken in, but nothing is predicted from two views
            assert not any(cloud.width for cloud in harness.listener.clouds)
            for i in range(2, 10):
                stamps.append(robot.say(x=0.06 * i, depth=None))
                harness.wait_for_count("frames_mapped", i + 1)
            harness.spin_until(lambda: harness.listener.clouds and harness.listener.clouds[-1].width > 300, "the cloud")
            harness.settle()
            points = cloud_from_msg(harness.listener.clouds[-1])
            assert np.abs(points["z"] - WALL_Z).max() < 0.01
            inside = np.abs(points["x"]) > 0.1
            assert (points["label"][inside] == np.where(points["x"] > 0, TABLE, CHAIR)[inside]).all()
            # the frame that was mapped is three keyframes older than the newest, and so says the cloud
            assert stamp_ns_of(harness.listener.clouds[-1]) == stamps[-1 - 3]
            assert "depth" not in harness.listener.levels["input"][1]  # nobody waits for a depth topic
        finally:
            harness.close()
