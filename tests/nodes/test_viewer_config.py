"""The viewer's parameter file and the RViz configuration name what the nodes have."""

from __future__ import annotations

import yaml

from sem_field_ros.nodes.view_renderer.options import DYNAMIC, ViewRendererOptions
from sem_field_ros.nodes.view_renderer.options import parameter_file as view_renderer_file
from sem_field_ros.nodes.viewer.sources import ViewerSources, parameter_file
from sem_field_ros.resources import resource_path
from sem_field_ros.ros.markers import NAMESPACE
from sem_field_ros.settings import settings_of
from sem_field_ros.viewer.config import ViewerConfig


def test_the_parameter_file_is_up_to_date() -> None:
    """Run `python -m sem_field_ros.nodes.viewer.sources > config/viewer.yaml` where this fails."""
    text = resource_path("config/viewer.yaml").read_text(encoding="utf-8")
    assert text == parameter_file()
    values = yaml.safe_load(text)["/**"]["ros__parameters"]
    assert values == {s.name: s.default for cls in (ViewerSources, ViewerConfig) for s in settings_of(cls)}


def test_the_view_renderers_parameter_file_is_up_to_date() -> None:
    """Run `python -m sem_field_ros.nodes.view_renderer.options > config/view_renderer.yaml` where this fails."""
    text = resource_path("config/view_renderer.yaml").read_text(encoding="utf-8")
    assert text == view_renderer_file()
    values = yaml.safe_load(text)["/**"]["ros__parameters"]
    assert values == {s.name: s.default for s in settings_of(ViewRendererOptions)}
    assert set(values) >= DYNAMIC


def test_rviz_shows_the_topics_of_the_nodes() -> None:
    root = yaml.safe_load(resource_path("config/rviz/sem_field.rviz").read_text(encoding="utf-8"))
    displays = {d["Name"]: d for d in root["Visualization Manager"]["Displays"]}
    topics = {name: d["Topic"]["Value"] for name, d in displays.items() if "Topic" in d}
    sources = ViewerSources()
    assert topics == {
        "Semantic cloud": f"/{sources.mapper}/semantic_cloud",
        "Semantic mesh": f"/{sources.mapper}/semantic_mesh",
        "Labels": f"/{sources.mapper}/label_overlay",
        "Camera": f"/{sources.image_topic}",
    }
    assert list(displays["Semantic mesh"]["Namespaces"]) == [NAMESPACE]
    for name in ("Semantic cloud", "Semantic mesh"):  # latched: a late RViz must get the last message
        assert displays[name]["Topic"]["Durability Policy"] == "Transient Local"
