"""New colours for plainly coloured models, so that a sofa is not always blue; textured materials keep their texture."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from pathlib import Path

import numpy as np

from sem_field_synth.catalogue.catalogue import CatalogueModel
from sem_field_synth.homes.finishes import hsv
from sem_field_synth.scene import Color, Finish

UPHOLSTERED = ("sofa", "corner sofa", "armchair", "chair", "office chair", "bar stool", "stool", "bed", "single bed")
WOODEN = (
    "dining table", "coffee table", "desk", "night stand", "wardrobe", "dresser", "sideboard", "bookshelf",
    "shelves", "lower cabinet", "upper cabinet", "high cabinet", "kitchen sink", "bunk bed", "crib", "filing cabinet",
)  # fmt: skip
ENAMELLED = ("refrigerator", "washer")
SHARE = 0.55  # of the models that may be repainted
# metal, glass, rubber, handles and the like keep their look
KEEP = re.compile(
    r"metal|glass|chrom|silver|alu|steel|black|rubber|handle|mirror|iron|inox|vidr|wheel|knob|plast|foot|leg|button|tack"
    r"|hood|oven|dispens|^red$|^blue$"
)


def repaint(model: CatalogueModel, role: str, rng: np.random.Generator) -> dict[str, Finish]:
    """Finishes by material name for the one or two largest plain materials of a model; often none."""
    if role not in UPHOLSTERED + WOODEN + ENAMELLED or rng.random() > SHARE:
        return {}
    materials = plain_materials(model.path)[:2]
    if not materials:
        return {}
    coats = {materials[0]: _coat(role, rng)}
    if len(materials) > 1 and rng.random() < 0.3:
        coats[materials[1]] = _coat(role, rng)
    return coats


@lru_cache(maxsize=512)
def plain_materials(path: Path) -> tuple[str, ...]:
    """Material names of an .obj without an image and not transparent, those with most faces first."""
    text = path.read_text(encoding="latin-1")
    count: Counter[str] = Counter()
    name = ""
    for line in text.splitlines():
        if line.startswith("usemtl"):
            name = line[6:].strip()
        elif line.startswith("f "):
            count[name] += 1
    special = set()
    for library in re.findall(r"^mtllib\s+(.+)$", text, re.M):
        file = path.parent / library.strip()
        if file.is_file():
            special |= _special_materials(file.read_text(encoding="latin-1"))
    named = [n for n, faces in count.most_common() if n and n not in special and faces >= 6]
    return tuple(n for n in named if not KEEP.search(n.lower()))


def _special_materials(mtl: str) -> set[str]:
    """Materials that are textured or transparent."""
    special = set()
    name = ""
    for line in mtl.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "newmtl":
            name = " ".join(words[1:])
        elif len(words) > 1 and (words[0] == "map_Kd" or (words[0] == "d" and float(words[-1]) < 0.95)):
            special.add(name)
    return special


def _coat(role: str, rng: np.random.Generator) -> Finish:
    if role in UPHOLSTERED:
        strong = float(rng.choice([0.05, 0.2, 0.45, 0.7], p=[0.4, 0.3, 0.2, 0.1]))
        return Finish(hsv(rng.random(), strong * rng.uniform(0.5, 1.2), rng.uniform(0.12, 0.9)))
    if role in ENAMELLED:
        return Finish(hsv(rng.random(), 0.02, rng.choice([0.95, 0.8, 0.6, 0.25, 0.1])), shininess=0.5)
    return Finish(_wooden(rng), shininess=float(rng.uniform(0.05, 0.4)))


def _wooden(rng: np.random.Generator) -> Color:
    kind = rng.random()
    if kind < 0.55:
        return hsv(rng.uniform(0.05, 0.11), rng.uniform(0.2, 0.7), rng.uniform(0.15, 0.85))
    if kind < 0.85:
        return hsv(rng.uniform(0.08, 0.14), rng.uniform(0, 0.06), rng.uniform(0.7, 0.97))
    if kind < 0.95:
        return hsv(0.6, 0.03, rng.uniform(0.05, 0.5))
    return hsv(rng.random(), rng.uniform(0.2, 0.6), rng.uniform(0.3, 0.8))
