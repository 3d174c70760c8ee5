"""The package for pip and for colcon's ament_python build: the nodes, `sem-field` and the share folder."""

from pathlib import Path

from setuptools import find_packages, setup

NAME = "sem_field_ros"
ROOT = Path(__file__).resolve().parent
SHARED_FOLDERS = ("launch", "config", "models")


def requirements(name):
    """Return the entries of requirements/NAME.txt, the only lists of dependencies."""
    lines = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [entry for entry in (line.partition("#")[0].strip() for line in lines) if entry]


def shared_files():
    """Return setuptools' data_files: the ament index marker, package.xml and every file of the shared folders."""
    entries = [
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ]
    for folder in SHARED_FOLDERS:
        files = [p.relative_to(ROOT) for p in sorted((ROOT / folder).rglob("*")) if p.is_file()]
        for parent in sorted({p.parent for p in files if "__pycache__" not in p.parts}):
            entries.append((f"share/{NAME}/{parent}", [str(p) for p in files if p.parent == parent]))
    return entries


setup(
    name=NAME,
    version="0.1.0",
    description="Live semantic maps from a robot's RGB-D stream, as ROS 2 nodes",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="sem_field_ros contributors",
    maintainer="sem_field_ros maintainers",
    maintainer_email="noreply@sem-field-ros.invalid",
    license="Apache-2.0",
    python_requires=">=3.10",
    package_dir={"": "src"},
    packages=find_packages("src"),
    data_files=shared_files(),
    zip_safe=False,
    # Never ROS wheels, except in the extra `ros`: on a robot they would shadow its own ROS 2.
    install_requires=requirements("base"),
    extras_require={
        "train": requirements("train"),
        "hf": requirements("hf"),
        "ros": requirements("ros"),
        "test": requirements("dev"),  # colcon test looks for pytest under this name
    },
    entry_points={
        "console_scripts": [
            "sem-field = sem_field_ros.cli:main",
            "semantic_mapper = sem_field_ros.nodes.mapper.node:main",
            "sequence_player = sem_field_ros.nodes.player.node:main",
            "view_renderer = sem_field_ros.nodes.view_renderer.node:main",
            "viewer = sem_field_ros.nodes.viewer.node:main",
            "demo_recorder = sem_field_ros.nodes.recorder.node:main",
        ],
    },
)
