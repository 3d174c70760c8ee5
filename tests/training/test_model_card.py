"""Cards of trained weights, and the facts of a card in the README beside the weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sem_field_ros.training.model_card import BEGIN, END, facts, trained, write_facts
from sem_field_ros.weights import WeightsCard

CARD = WeightsCard(
    kind="toy",
    architecture={},
    data={"training": {"scenes": ["a", "b"], "voxels": 70}, "validation": {"scenes": ["c"], "frames": 9}},
    training={
        "step": 3,
        "loop": {"steps": 4},
        "commands": ["sem-field train toy --data ~/x/a ~/x/b ~/x/c ~/x/d ~/x/e ~/y/f"],
    },
    scores={"validation": {"miou": 0.25, "iou": {"wall": 0.5, "floor": 0.75}}},
    sha256="0123456789abcdef",
)


@dataclass(frozen=True)
class Settings:
    views: int = 5


def test_the_card_gets_the_facts_of_its_training() -> None:
    card = WeightsCard("toy", {"width": 3}, output={"views": 5}, data={"training": {}})
    facts_of_loop = {"step": 3, "git_revision": "abc", "validation": {"score": 0.5, "iou/wall": 0.25}}
    done = trained(card, Settings(), facts_of_loop)
    assert done.training == {"step": 3, "git_revision": "abc", "toy": {"views": 5}} and done.git_revision == "abc"
    assert done.scores == {"validation": {"score": 0.5, "iou": {"wall": 0.25}}}
    assert (done.kind, done.architecture, done.output, done.data) == ("toy", {"width": 3}, {"views": 5}, card.data)
    assert trained(card, Settings(), facts_of_loop | {"validation": {"score": 1.0}}).scores["validation"] == {
        "score": 1
    }


def test_facts_by_hand(tmp_path: Path) -> None:
    weights = tmp_path / "toy.safetensors"
    weights.write_bytes(bytes(31_308))
    lines = list(facts(weights, CARD))
    assert "| file | `toy.safetensors`, 31 kB, sha256 `0123456789ab…` |" in lines
    assert (
        "| training data | 70 voxels of 2 scenes |" in lines and "| validation data | 9 frames of 1 scenes |" in lines
    )
    assert "| command | `sem-field train toy --data ~/x/* (5) ~/y/f` |" in lines
    assert lines[-1] == "IoU of each class present (validation): floor 0.75, wall 0.50."
    weights.write_bytes(bytes(6_300_000))
    assert "6.3 MB" in next(line for line in facts(weights, CARD) if "file" in line)


def test_text_around_the_facts_stays(tmp_path: Path) -> None:
    weights, readme = tmp_path / "toy.safetensors", tmp_path / "README.md"
    weights.write_bytes(b"x")
    write_facts(readme, weights, CARD)
    text = readme.read_text()
    readme.write_text(text.replace(BEGIN, f"Written by hand.\n{BEGIN}\nold") + "\nAnd after.\n")
    write_facts(readme, weights, CARD)
    again = readme.read_text()
    assert "Written by hand." in again and again.rstrip().endswith("And after.") and "old" not in again
    assert again.count(BEGIN) == again.count(END) == 1
