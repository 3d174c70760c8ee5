"""Roles of the pieces in the example homes, from their names and sizes."""

from __future__ import annotations

from sem_field_synth.catalogue.class_table import role_of_model
from sem_field_synth.homes.home_xml import Piece

BOX_NAMES = {
    "mirror": "mirror",
    "carpet": "rug",
    "kitchen cabinet": "lower cabinet",
    "cabinet": "lower cabinet",
    "shelf": "",
    "bedside table": "night stand",
}
NOT_IN_BATHS = ("wardrobe", "sideboard", "chair", "dining table", "desk", "dresser", "upper cabinet", "bookshelf")


def room_kind(name: str, roles: list[str]) -> str:
    """living, bedroom, kitchen, bath, office, corridor, garage or other, from a room's name and what stands in it."""
    name = name.lower()
    for word, kind in (
        ("bed", "bedroom"),
        ("living", "living"),
        ("dining", "living"),
        ("kitchen", "kitchen"),
        ("bath", "bath"),
        ("office", "office"),
        ("corridor", "corridor"),
        ("hall", "corridor"),
        ("garage", "garage"),
        ("dressing", "bedroom"),
        ("attic", "other"),
    ):
        if word in name:
            return kind
    if "toilet" in roles or "bathtub" in roles or "shower" in roles:
        return "bath"
    if "bed" in roles or "single bed" in roles or "bunk bed" in roles:
        return "bedroom"
    if "lower cabinet" in roles or "stove" in roles:
        return "kitchen"
    if "sofa" in roles or "dining table" in roles:
        return "living"
    return "corridor"


def role_of_piece(piece: Piece, room: str) -> str | None:
    """The role that replaces a piece of a home; None for pieces that are left out (beams, roofs, decoration boxes)."""
    role = _role(piece, room)
    return None if room == "bath" and role in NOT_IN_BATHS else role


def _role(piece: Piece, room: str) -> str | None:
    model = piece.id.partition("#")[2]
    name = piece.name.lower()
    width, depth, height = piece.size
    if model.startswith("texturable"):
        return BOX_NAMES.get(name) or None
    if model in ("squareTable", "roundTable", "table"):
        if name == "bank":
            return None
        if "tv" in name:
            return "tv stand"
        if height < 0.6:
            return "coffee table"
        small = min(width, depth) < 0.72 and model != "roundTable"
        return "desk" if room in ("office", "bedroom") and (small or width > 1.2) else "dining table"
    if model == "bedsideTable" and "table" in name and "bedside" not in name:
        return "coffee table" if width > 0.7 else "night stand"
    if model == "plant" or model == "flowers":
        return "small plant" if piece.elevation > 0.1 or height < 0.5 else "floor plant"
    if model == "stool" and room == "kitchen" and height > 0.55:
        return "bar stool"
    if model == "workLamp":
        return "table lamp"
    if model == "chest" and room == "living" and height < 0.65:
        return "tv stand"
    if model == "chair" and room == "office":
        return "office chair"
    if model in ("slidingDoors", "staircase", "curveStaircase", "spotlight", "hotWaterRadiator", "electricRadiator"):
        return "radiator" if "Radiator" in model else None
    return role_of_model().get(piece.id)
