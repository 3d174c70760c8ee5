"""The documents name what the code has (launch arguments, topics, parameters, ...) and their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sem_field_ros.camera_stream import topics
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.nodes.graph import arguments_of
from sem_field_ros.segmentation.registry import SEGMENTERS
from sem_field_ros.settings import settings_of

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("samples/*.md")])
CARDS = sorted(ROOT.glob("models/*/README.md"))
NODES = ROOT / "src" / "sem_field_ros" / "nodes"
HOME_FOLDER = re.compile(r"(?<![\w.~])/(?:root|home/\w+|Users/\w+)\b")


def read(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def code_words(text: str) -> set[str]:
    """Everything that stands in backticks."""
    return set(re.findall(r"`([^`\n]+)`", text))


def anchors(path: Path) -> set[str]:
    """The anchors a forge makes of a document's headings."""
    headings = re.findall(r"^#+ +(.+)$", path.read_text(encoding="utf-8"), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS + CARDS, ids=name_of)
def test_relative_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.is_relative_to(ROOT) and file.exists(), f"{document.name}: {target}"
        if anchor:
            assert anchor in anchors(file), f"{document.name}: {target}"


@pytest.mark.parametrize("document", DOCUMENTS + CARDS, ids=name_of)
def test_no_path_of_one_machine(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert f"{ROOT}/" not in text
    assert HOME_FOLDER.search(text) is None


@pytest.mark.parametrize("graph", ["bringup", "rgb", "replay"])
def test_every_launch_argument_is_described_with_its_default(graph: str) -> None:
    rows = [row for row in read("robot.md").splitlines() if row.startswith("| `")]
    for argument in arguments_of(graph):
        mine = [row for row in rows if f"`{argument.name}`" in row.split("|")[1]]
        assert len(mine) == 1, argument.name
        default = "true" if argument.name == "use_sim_time" and graph == "replay" else argument.default
        assert f"`{default}`" in mine[0] or default == "", (argument.name, default, mine[0])


def test_every_topic_and_service_is_described() -> None:
    words = code_words(read("ros_api.md"))
    names = {name: value for name, value in vars(topics).items() if name.isupper() and isinstance(value, str)}
    fixed = {value for name, value in names.items() if name.endswith("_TOPIC")}
    published = {value for name, value in names.items() if name.startswith(("SEMANTIC_", "LABEL_", "FRAME_", "VIEW_"))}
    published |= {topics.FINISHED, topics.PROGRESS}
    sources = "\n".join(file.read_text(encoding="utf-8") for file in sorted(NODES.rglob("*.py")))
    services = set(re.findall(r'\((?:Trigger|SetBool|SaveMap|LoadMap), "([a-z_]+)"', sources)) | {topics.QUERY_POINTS}
    assert len(services) == 5
    services.add(topics.RENDER_VIEW)
    assert {"semantic_cloud", "label_info"} <= published and {"/tf", "/clock"} <= fixed
    assert fixed | {*topics.CAMERA_TOPICS.values()} | {topics.own(name) for name in published | services} <= words


def test_parameters_that_are_described_exist() -> None:
    mapper = pytest.importorskip("sem_field_ros.nodes.mapper.options")
    defaults = {item.name: item.default for cls in (MapConfig, mapper.MapperOptions) for item in settings_of(cls)}
    table = read("ros_api.md").split("### Parameters")[1].split("### ")[0]
    rows = [row.split("|")[1:3] for row in table.splitlines() if row.startswith("| `")]
    assert len(rows) > 8
    for names, values in rows:
        parameters = re.findall(r"`(\w+)`", names)
        for name, value in zip(parameters, values.strip().split(", "), strict=False):
            assert f"{defaults[name]:g}" == f"{float(value):g}" if value[0].isdigit() else defaults[name] == value, name
        assert parameters and set(parameters) <= defaults.keys()
    tuning = read("robot.md").split("## Tuning")[1].split("## ")[0]
    for name, value in re.findall(r"`(\w+): ([^`]+)`", tuning):
        assert name in defaults, name
        next(i for i in settings_of(MapConfig) + settings_of(mapper.MapperOptions) if i.name == name).check(
            type(defaults[name])(value)
        )


def test_diagnostics_are_described() -> None:
    pytest.importorskip("rclpy")
    from sem_field_ros.camera_stream.statistics import InputStatistics
    from sem_field_ros.nodes.mapper.diagnostics import MapperState, mapper_diagnostics
    from sem_field_ros.nodes.mapper.options import MapperOptions
    from sem_field_ros.nodes.mapper.statistics import MappingStatistics

    text = read("ros_api.md").split("### Diagnostics")[1].split("\n## ")[0]
    words = code_words(text)
    state = MapperState("active", False, 0, {}, 1.0)
    heard, mapped = InputStatistics().snapshot(), MappingStatistics().snapshot()
    for status in mapper_diagnostics("/semantic_mapper", heard, mapped, state, MapperOptions()).status:
        assert status.name in words
        assert {pair.key for pair in status.values} <= words
    files = [
        file for floor in ("nodes", "ros", "camera_stream", "geometry") for file in (NODES.parent / floor).rglob("*.py")
    ]
    sources = "\n".join(file.read_text(encoding="utf-8") for file in files)
    causes = set(re.findall(r'(?:drops\["|_drop\([^"\n]*"|\.drop\("|\.event\("|refused\["|cause=")([a-z_]+)"', sources))
    renderer = read("ros_api.md").split("## view_renderer")[1].split("\n## ")[0]
    words |= code_words(renderer)
    causes -= {"bad_cloud", "bad_mesh"}  # of messages that the mapper does not hear
    assert {"zero_stamp", "overload", "clock_jump_back", "bad_intrinsics", "old_transform"} <= causes
    assert causes <= words


def test_cloud_layout_is_as_described() -> None:
    pytest.importorskip("rclpy")
    from sem_field_ros.ros.clouds import CLOUD_DTYPE

    text = read("ros_api.md")
    fields = CLOUD_DTYPE.fields
    assert fields is not None
    for name, (_, offset, *_) in fields.items():
        row = next(row for row in text.splitlines() if row.startswith("|") and f"`{name}`" in row.split("|")[1])
        assert str(offset) in re.split(r"[,|]", row.replace(" ", "")), name
    assert f"`point_step` {CLOUD_DTYPE.itemsize}" in text


def test_segmenters_and_label_sets_are_described() -> None:
    text = read("segmenters.md")
    assert SEGMENTERS.keys() <= code_words(text)
    for path in (ROOT / "config" / "labels").glob("*.yaml"):
        assert f"`{path.stem}`" in text
    snippet = re.search(r"```yaml\n(.*?)```", text, flags=re.S)
    assert snippet is not None
    import yaml

    from sem_field_ros.labels import label_set_from_dict

    assert len(label_set_from_dict(yaml.safe_load(snippet[1]))) >= 2
