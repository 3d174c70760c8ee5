"""All objects and their splits; builds any of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sem_field_ros.datasets.psb import psb_names, read_psb
from sem_field_ros.errors import DataError
from sem_field_ros.labels import LabelSet, load_label_set
from sem_field_synth.catalogue.catalogue import Assets
from sem_field_synth.catalogue.class_table import SPLITS, split_of
from sem_field_synth.objects.catalogue_parts import catalogue_mesh, part_table
from sem_field_synth.objects.chairs import make_chair
from sem_field_synth.objects.part_mesh import PartMesh
from sem_field_synth.objects.psb_parts import psb_mesh
from sem_field_synth.objects.tables import make_table

CLASSES = ("chair", "table")
SOURCES = ("parametric", "catalogue", "psb")
_FIRST = {"training": 0, "validation": 400_000, "test": 700_000}  # parametric numbers of each split
_PER_SEED = 1_000_000
OWN = "made by sem-field generate objects"


@dataclass(frozen=True)
class ObjectSpec:
    """One object: its name (unique in its class), class, source, split; `asset` is its number, catalogue id or shape.

    place  folder of the source's files, None for the usual one, or if there are none
    """

    name: str
    kind: str
    source: str
    split: str
    asset: str
    place: Path | None = None

    @property
    def labels(self) -> LabelSet:
        """The label set of its class."""
        return part_labels(self.kind)


@cache
def part_labels(kind: str) -> LabelSet:
    """The parts of a class: config/labels/KIND_parts.yaml."""
    return load_label_set(f"{kind}_parts")


def list_objects(
    kinds: Sequence[str],
    sources: Sequence[str],
    counts: Mapping[str, int],
    seed: int = 0,
    assets: Path | None = None,
    psb: Path | None = None,
) -> list[ObjectSpec]:
    """Every object of the classes and sources; `counts` says how many parametric ones a class and split gets.

    Raises DataError if files of a source are missing.
    """
    specs: list[ObjectSpec] = []
    for kind in kinds:
        if "parametric" in sources:
            for split in SPLITS:
                first = seed * _PER_SEED + _FIRST[split]
                numbers = range(first, first + counts.get(split, 0))
                specs += [ObjectSpec(f"parametric_{n:07d}", kind, "parametric", split, str(n)) for n in numbers]
        if "catalogue" in sources:
            known = _assets(assets).models
            ids = [i for i in part_table()[kind] if i in known]
            specs += [ObjectSpec(_file_name(i), kind, "catalogue", split_of(i), i, assets) for i in ids]
        if "psb" in sources:
            if psb is None:
                raise DataError("PSB meshes need their folder: --psb DIR")
            names = [name for name in psb_names(psb) if read_psb(psb, name).category == kind]
            specs += [ObjectSpec(f"psb_{n}", kind, "psb", split_of(f"psb/{n}"), n, psb) for n in names]
    return specs


def build_object(spec: ObjectSpec) -> PartMesh:
    """The object's mesh in metres, not normalised. Raises DataError in one line."""
    if spec.source == "parametric":
        return {"chair": make_chair, "table": make_table}[spec.kind](int(spec.asset), spec.labels)
    if spec.source == "psb":
        return psb_mesh(spec.place or Path(), spec.asset, spec.labels)
    return catalogue_mesh(_assets(spec.place).models[spec.asset], part_table()[spec.kind][spec.asset], spec.labels)


def credit(spec: ObjectSpec) -> dict[str, Any]:
    """The author and licence of an object."""
    if spec.source == "parametric":
        return {"creator": OWN, "license": "Apache-2.0", "title": f"{spec.kind} {spec.asset}"}
    if spec.source == "psb":
        terms = "research only (Princeton segmentation benchmark, SHREC 2007 Watertight Track)"
        return {"creator": "Chen, Golovinskiy, Funkhouser 2009", "license": terms, "title": f"shape {spec.asset}"}
    model = _assets(spec.place).models[spec.asset]
    return {"creator": model.creator, "license": model.license, "title": f"{model.name} ({model.id})"}


@cache
def _assets(place: Path | None) -> Assets:
    return Assets(place)


def _file_name(catalogue_id: str) -> str:
    """A catalogue id as a file name: letters, digits and -, with a short hash if names could collide."""
    plain = "".join(c if c.isalnum() else "-" for c in catalogue_id.lower())
    return f"catalogue_{plain}_{hashlib.sha1(catalogue_id.encode()).hexdigest()[:4]}"
