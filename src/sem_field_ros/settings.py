"""Settings: dataclass fields that carry their help, range and choices; flags and node parameters come from them.

A frozen dataclass declares its fields with `setting(default, "help", minimum=..., maximum=..., choices=...)` and calls
`check_settings(self)` in `__post_init__`. Command-line flags (below) and ROS parameter descriptors (ros/parameters.py)
are generated from `settings_of(cls)`: each value is described in one place.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from dataclasses import dataclass
from typing import Any, TypeVar

from sem_field_ros.errors import SettingError

T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """One field of a settings dataclass. `kind` is bool, int, float or str; bounds are inclusive, None = none."""

    name: str
    kind: type
    default: Any
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """The command-line flag, e.g. `--voxel-size-m`."""
        return "--" + self.name.replace("_", "-")

    def check(self, value: Any) -> Any:
        """Return `value` as this setting's kind. Raises SettingError with one line where it does not fit."""
        if self.kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, self.kind) or (self.kind is not bool and isinstance(value, bool)):
            raise SettingError(f"{self.name} must be {self.kind.__name__}, got {value!r}")
        if self.choices and value not in self.choices:
            raise SettingError(f"{self.name} must be one of {', '.join(self.choices)}, got {value!r}")
        # written so that NaN is out of range too
        if isinstance(value, (int, float)) and not (self._low <= value <= self._high):
            raise SettingError(f"{self.name} must be {self.range_text}, got {value!r}")
        return value

    @property
    def _low(self) -> float:
        return -math.inf if self.minimum is None else self.minimum

    @property
    def _high(self) -> float:
        return math.inf if self.maximum is None else self.maximum

    @property
    def range_text(self) -> str:
        """The range in words: `0.1 to 4`, `at least 1`, `at most 5`, or empty."""
        if self.minimum is None and self.maximum is None:
            return ""
        if self.maximum is None:
            return f"at least {self.minimum:.12g}"
        if self.minimum is None:
            return f"at most {self.maximum:.12g}"
        return f"{self.minimum:.12g} to {self.maximum:.12g}"


def setting(
    default: Any,
    help: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A dataclass field with its description; the type of `default` is the type of the setting."""
    metadata = {"help": help, "minimum": minimum, "maximum": maximum, "choices": choices}
    return dataclasses.field(default=default, metadata=metadata)


def settings_of(cls: type) -> tuple[Setting, ...]:
    """The settings of a dataclass, in the order they are declared."""
    return tuple(
        Setting(f.name, type(f.default), f.default, **f.metadata)
        for f in dataclasses.fields(cls)
        if "help" in f.metadata
    )


def check_settings(config: Any) -> None:
    """Check every setting of a (frozen) dataclass instance; ints given for floats are converted. For __post_init__."""
    for item in settings_of(type(config)):
        object.__setattr__(config, item.name, item.check(getattr(config, item.name)))


def add_settings_arguments(parser: argparse.ArgumentParser, cls: type, *, skip: tuple[str, ...] = ()) -> None:
    """Add one flag per setting of `cls` to `parser`, except those named in `skip`."""
    group = parser.add_argument_group(f"{cls.__name__} settings")
    for item in settings_of(cls):
        if item.name in skip:
            continue
        bounds = f", {item.range_text}" if item.range_text else ""
        text = f"{item.help} (default {item.default}{bounds})".replace("%", "%%")
        if item.kind is bool:
            group.add_argument(item.flag, action=argparse.BooleanOptionalAction, default=item.default, help=text)
        else:
            group.add_argument(
                item.flag,
                type=item.kind,
                default=item.default,
                choices=item.choices or None,
                metavar=None if item.choices else item.kind.__name__.upper(),
                help=text,
            )


def settings_from_arguments(cls: type[T], args: argparse.Namespace, **fixed: Any) -> T:
    """Build `cls` from parsed flags; `fixed` gives the settings that have no flag. Raises SettingError."""
    values = {item.name: getattr(args, item.name) for item in settings_of(cls) if hasattr(args, item.name)}
    return cls(**{**values, **fixed})
