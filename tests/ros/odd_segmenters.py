"""Segmenters that misbehave, and a mapper node with the slow one: python -m tests.ros.odd_segmenters SECONDS."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from sem_field_ros.labels import load_label_set
from sem_field_ros.nodes import node_segmenter
from sem_field_ros.nodes.mapper import node as semantic_mapper
from sem_field_ros.segmentation.external import ExternalSegmenter


class OddSegmenter(ExternalSegmenter):
    """External labels, but `next_error` is raised once, and while `gate` is closed inference does not end."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__(load_label_set("scannet20"))
        self.next_error: Exception | None = None
        self.seconds = seconds
        self.gate = threading.Event()
        self.gate.set()
        self.inferring = threading.Event()

    def segment(self, frame):
        self.inferring.set()
        time.sleep(self.seconds)
        self.gate.wait(30)
        self.inferring.clear()
        error, self.next_error = self.next_error, None
        if error is not None:
            raise error
        return super().segment(frame)


def use(segmenter: OddSegmenter, patch: pytest.MonkeyPatch) -> None:
    """Let every mapper node that is configured from now on have this segmenter."""
    patch.setattr(node_segmenter, "make_segmenter", lambda *_: segmenter)


if __name__ == "__main__":
    use(OddSegmenter(float(sys.argv[1])), pytest.MonkeyPatch())
    sys.exit(semantic_mapper.main())
