"""The settings in the recipes: the command line reads them without torch, and their former names still work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import sem_field_ros.training.recipes
from sem_field_ros.settings import settings_of
from sem_field_ros.training.recipes.fusion import FusionTraining
from sem_field_ros.training.recipes.gnesf import GnesfTraining

RECIPES = sorted(path.stem for path in Path(sem_field_ros.training.recipes.__path__[0]).glob("[!_]*.py"))


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_imported_without_heavy_packages(name: str) -> None:
    """Else a typo in a command would cost the seconds that these take."""
    code = f"import sys, sem_field_ros.training.recipes.{name}; print(*{{'torch', 'numpy', 'cv2'}} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_former_names_of_settings() -> None:
    former = {item.name: item.formerly for cls in (FusionTraining, GnesfTraining) for item in settings_of(cls)}
    assert former["representation"] == ("geometry",) and former["image_based"] == ("ask_views",)
    assert former["corrupt_share"] == ("spoilt_views",)
