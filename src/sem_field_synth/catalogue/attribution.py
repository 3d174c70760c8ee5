"""Names the authors and licences of all third-party assets in a scene."""

from __future__ import annotations

from collections.abc import Sequence

from sem_field_synth.catalogue.catalogue import Assets
from sem_field_synth.scene import HomeScene


def attributions(assets: Assets, scenes: Sequence[HomeScene]) -> str:
    """Every asset of the scenes with its creator and licence, as text for an attribution file."""
    used = sorted({m.asset for scene in scenes for m in scene.models})
    images = {p.finish.texture for scene in scenes for p in scene.panels}
    textures = sorted(t.id for t in assets.textures.values() if t.path in images)
    lines = [
        "Assets of Sweet Home 3D (Debian packages sweethome3d and sweethome3d-furniture) used in these scenes.",
        "Homes and textures: Sweet Home 3D, Copyright (c) Emmanuel Puybaret / eTeks; GPL-2+ or CC-BY 3.0.",
        "",
        "Homes (floor plans): " + ", ".join(sorted({s.name.split("_")[1] for s in scenes})),
        "Textures: " + (", ".join(textures) or "none"),
        "Models (catalogue id; name; creator; licence; library):",
    ]
    for asset in used:
        model = assets.models[asset]
        license_ = model.license or "see the package's copyright file"
        lines.append(f"{asset}; {model.name}; {model.creator}; {license_}; {model.library}")
    return "\n".join(lines) + "\n"
