"""Model cards: the card that a training saves with its weights, and the README.md beside shipped weights.

A marked block of that README holds facts from the card; the rest is written by hand.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from sem_field_ros.atomic import atomic_write
from sem_field_ros.labels import LabelSet, label_set_to_dict
from sem_field_ros.measurements import size_text
from sem_field_ros.training.samples.labelled_frames import VALIDATION
from sem_field_ros.weights import WeightsCard, save_weights

_MOST_PATHS = 4  # of one folder, in a command; more are shown as FOLDER/*
_IOU = "iou/"
BEGIN, END = "<!-- facts: written by sem-field train export -->", "<!-- end of facts -->"


class TrainedRecipe(Protocol):
    """What a card takes from a recipe: the kind of its weights, its settings (a dataclass) and its data."""

    name: str
    config: Any
    data: dict[str, Any]


def save_trained(
    path: Path,
    model: Any,
    recipe: TrainedRecipe,
    facts: Mapping[str, Any],
    output: dict[str, Any],
    labels: LabelSet | None = None,
) -> None:
    """Write the weights of a recipe's model with their card.

    model   has a `config` with `as_dict()`, its architecture      facts  see Recipe.save
    output  what users of the weights need to know, e.g. image_width
    """
    label_set = label_set_to_dict(labels) if labels else None
    card = WeightsCard(recipe.name, model.config.as_dict(), label_set, output, recipe.data)
    save_weights(path, model.state_dict(), trained(card, recipe.config, facts))


def trained(card: WeightsCard, config: Any, facts: Mapping[str, Any]) -> WeightsCard:
    """`card` with the facts of its training: those of the loop (see Recipe.save) and the recipe's settings `config`.

    Validation scores named iou/CLASS are gathered as `iou`: {CLASS: score}.
    """
    validation = facts["validation"]
    scores = {name: value for name, value in validation.items() if not name.startswith(_IOU)}
    iou = {name.removeprefix(_IOU): value for name, value in validation.items() if name.startswith(_IOU)}
    return dataclasses.replace(
        card,
        training={k: v for k, v in facts.items() if k != "validation"} | {card.kind: dataclasses.asdict(config)},
        scores={VALIDATION: scores | ({"iou": iou} if iou else {})},
        git_revision=facts["git_revision"],
    )


def write_facts(readme: Path, weights: Path, card: WeightsCard) -> None:
    """Write the block of facts in `readme`, or a new file; the text around the block stays."""
    old = (
        readme.read_text(encoding="utf-8") if readme.is_file() else f"# Model card: {weights.stem}\n\n{BEGIN}\n{END}\n"
    )
    before, _, rest = old.partition(BEGIN)
    after = rest.partition(END)[2] if rest else "\n"
    text = before + "\n".join([BEGIN, *facts(weights, card), END]) + after
    with atomic_write(readme) as file:
        file.write(text.encode("utf-8"))


def facts(weights: Path, card: WeightsCard) -> Iterator[str]:
    """The lines of a Markdown table of the card's facts, then one of the IoU of each class."""
    training = card.training
    loop = training.get("loop", {})
    yield from ("| | |", "|---|---|")
    yield f"| file | `{weights.name}`, {size_text(weights.stat().st_size)}, sha256 `{card.sha256[:12]}…` |"
    if card.label_set:
        yield f"| label set | `{card.label_set['name']}` |"
    for split, data in card.data.items():
        counts = [f"{value} {name}" for name, value in data.items() if isinstance(value, int)]
        yield f"| {split} data | {', '.join(counts)} of {len(data.get('scenes', []))} scenes |"
    steps = f"{training.get('step')} of {loop.get('steps')}"
    yield f"| steps | {steps}, batch {loop.get('batch')}, seed {loop.get('seed')} |"
    yield f"| time | {float(training.get('seconds', 0)) / 60:.0f} minutes |"
    yield f"| code | revision `{card.git_revision[:12]}` |"
    for command in training.get("commands", []):
        yield f"| command | `{_shortened(command)}` |"
    for key, value in card.output.items():
        yield f"| {key.replace('_', ' ')} | {_number(value)} |"
    for split, scores in card.scores.items():
        plain = {k: v for k, v in scores.items() if not isinstance(v, dict) and k != "score"}
        yield f"| {split} | {', '.join(f'{k} {_number(v)}' for k, v in plain.items())} |"
    for split, scores in card.scores.items():
        yield from _classes(split, scores.get("iou", {}))


def _classes(split: str, iou: dict[str, float]) -> Iterator[str]:
    if iou:
        yield ""
        yield (
            f"IoU of each class present ({split}): "
            + ", ".join(f"{name} {value:.2f}" for name, value in sorted(iou.items(), key=lambda item: -item[1]))
            + "."
        )


def _shortened(command: str) -> str:
    """A command with long lists of paths in one folder shortened to `FOLDER/* (count)`; the card has it in full."""
    words: list[str] = []
    for folder, group in itertools.groupby(command.split(" "), lambda word: word.rpartition("/")[0]):
        paths = list(group)
        words += [f"{folder}/* ({len(paths)})"] if folder and len(paths) > _MOST_PATHS else paths
    return " ".join(words)


def _number(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
