"""Roles (coffee table, lower cabinet) and NYU-40 classes of catalogue models: config/furniture_classes.yaml."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

import yaml

from sem_field_ros.resources import resource_path

SPLITS = ("training", "validation", "test")
TABLE = "config/furniture_classes.yaml"


@dataclass(frozen=True)
class Role:
    """A kind of furniture: its name, its NYU-40 class, and the catalogue ids of its models."""

    name: str
    nyu40: str
    models: tuple[str, ...]


@cache
def roles() -> dict[str, Role]:
    """Every role of `config/furniture_classes.yaml` by name."""
    table = yaml.safe_load(resource_path(TABLE).read_text(encoding="utf-8"))
    libraries = table["libraries"]
    return {
        name: Role(
            name,
            entry["class"],
            tuple(f"{libraries[short]}#{model}" for short, models in entry["models"].items() for model in models),
        )
        for name, entry in table["roles"].items()
    }


@cache
def role_of_model() -> dict[str, str]:
    """The role of every model, by catalogue id: the first one that lists it."""
    table: dict[str, str] = {}
    for role in roles().values():
        for model in role.models:
            table.setdefault(model, role.name)
    return table


def split_of(catalogue_id: str) -> str:
    """The split a model belongs to: sha1 of its catalogue id modulo 10; 0-1 test, 2 validation, the rest training."""
    number = int(hashlib.sha1(catalogue_id.encode()).hexdigest(), 16) % 10
    return "test" if number < 2 else "validation" if number == 2 else "training"


@cache
def classes_by_material() -> dict[str, dict[str, str]]:
    """NYU-40 classes of materials that differ from their model's role, by catalogue id and material."""
    table = yaml.safe_load(resource_path(TABLE).read_text(encoding="utf-8"))
    return {
        f"{table['libraries'][short]}#{model}": {m: name for name, materials in parts.items() for m in materials}
        for short, models in table["materials"].items()
        for model, parts in models.items()
    }
