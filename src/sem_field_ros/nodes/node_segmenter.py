"""The segmenter that a node's options ask for."""

from __future__ import annotations

import torch

from sem_field_ros.errors import SettingError
from sem_field_ros.labels import LabelSet, load_label_set
from sem_field_ros.nodes.camera_node_options import CameraNodeOptions
from sem_field_ros.segmentation.registry import labels_pixels, make_segmenter
from sem_field_ros.segmentation.segmenter import Segmenter


def make_node_segmenter(options: CameraNodeOptions, label_width: int, device: str) -> tuple[Segmenter | None, LabelSet]:
    """Make the segmenter a node is asked for, and the label set of its result. Raises SemFieldError in one line."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise SettingError(f"device '{device}': torch finds no CUDA GPU here; set device to cpu")
    if not labels_pixels(options.segmenter):
        return None, load_label_set(options.label_set or "scannet20")
    source = load_label_set(options.label_image_set) if options.label_image_set else None
    segmenter = make_segmenter(options.segmenter, options.label_set or None, label_width, device, source)
    return segmenter, segmenter.labels
