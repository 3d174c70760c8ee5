"""Makes the weights of `segmenter: ade20k` and `ade20k_deeplab` from the published TFLite files beside them.

python scripts/import_ade20k.py     reads and writes models/segmenter_ade20k/; run once, the result is committed
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sem_field_ros.labels import label_set_to_dict, load_label_set
from sem_field_ros.segmentation import deeplab, mosaic
from sem_field_ros.segmentation.architectures import Network, build_network
from sem_field_ros.segmentation.network import KIND
from sem_field_ros.segmentation.tflite import load_interpreter
from sem_field_ros.segmentation.tflite_weights import read_state
from sem_field_ros.weights import WeightsCard, load_into, save_weights

FOLDER = Path(__file__).resolve().parents[1] / "models" / "segmenter_ade20k"
PUBLISHED = {
    "segmenter_ade20k": ("mosaic_r4_ade20k31_uint8.tflite", mosaic.MosaicConfig(32).as_dict()),
    "segmenter_ade20k_deeplab": ("deeplabv3plus_mnv2_ade20k31_uint8.tflite", deeplab.DeepLabConfig(32).as_dict()),
}
OUTPUT = {"temperature": 1.0, "image_width": 384}  # wider images take longer and did no better in a real kitchen


def main() -> None:
    """Write both weights files with their cards."""
    labels = label_set_to_dict(load_label_set("ade20k31"))
    for name, (file, architecture) in PUBLISHED.items():
        net = network_of(FOLDER / file, architecture)
        card = WeightsCard(
            KIND,
            architecture,
            labels,
            OUTPUT,
            data={"images": "ADE20K, by the publisher"},
            training={
                "commands": ["python scripts/import_ade20k.py"],
                "from": f"{file}, sha256 {hashlib.sha256((FOLDER / file).read_bytes()).hexdigest()}",
                "repository": "mlcommons/mobile_open, Apache-2.0",
            },
        )
        path = FOLDER / f"{name}.safetensors"
        print(f"{path.name}: sha256 {save_weights(path, net.state_dict(), card, half=True).sha256[:12]}")


def network_of(file: Path, architecture: Mapping[str, Any]) -> Network:
    """The torch network with the weights of a published file, float32."""
    net = build_network(architecture)
    scopes = net.tflite_scopes()  # type: ignore[union-attr]
    load_into(net, read_state(load_interpreter(file, threads=1), net, scopes), str(file))
    return net.eval()


if __name__ == "__main__":
    main()
