"""Settings: dataclass fields that carry their help, range and choices; flags and node parameters come from them.

A frozen dataclass declares its fields with `setting(default, "help", minimum=..., maximum=..., choices=...)` and calls
`check_settings(self)` in `__post_init__`. Command-line flags (below) and ROS parameter descriptors (ros/parameters.py)
are generated from `settings_of(cls)`: each value is described in one place.

A renamed setting keeps its old names for one release as `formerly=("old_name",)`: flags, node parameters and launch
arguments of that name still work, with one line of warning; `current_names` reads what is stored under them.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from sem_field_ros.errors import SettingError, did_you_mean

T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """One field of a settings dataclass. `kind` is bool, int, float or str; bounds are inclusive, None = none.

    spellings  other ways to write a choice, e.g. {"+z": "z"}     formerly  names that the setting had before
    """

    name: str
    kind: type
    default: Any
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    spellings: Mapping[str, str] = field(default_factory=dict)
    formerly: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """The command-line flag, e.g. `--voxel-size-m`."""
        return flag_of(self.name)

    def check(self, value: Any) -> Any:
        """Return `value` as this setting's kind. Raises SettingError with one line where it does not fit."""
        if self.kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if isinstance(value, str):
            value = self.spellings.get(value, value)
        if not isinstance(value, self.kind) or (self.kind is not bool and isinstance(value, bool)):
            raise SettingError(f"{self.name} must be {self.kind.__name__}, got {value!r}")
        if self.choices and value not in self.choices:
            hint = did_you_mean(str(value), self.choices)
            raise SettingError(f"{self.name} must be one of {', '.join(self.choices)}, got {value!r}{hint}")
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
    spellings: Mapping[str, str] | None = None,
    formerly: tuple[str, ...] = (),
) -> Any:
    """A dataclass field with its description, see Setting; the type of `default` is the type of the setting."""
    metadata: dict[str, Any] = {"help": help, "minimum": minimum, "maximum": maximum, "choices": choices}
    metadata |= {"spellings": spellings or {}, "formerly": formerly}
    return dataclasses.field(default=default, metadata=metadata)


def flag_of(name: str) -> str:
    """The command-line flag of a setting's name, e.g. `--voxel-size-m`."""
    return "--" + name.replace("_", "-")


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


class Renamed(Protocol):
    """What `current_names` needs to know of a setting or a launch argument."""

    @property
    def name(self) -> str: ...
    @property
    def default(self) -> Any: ...
    @property
    def formerly(self) -> tuple[str, ...]: ...


def renaming_line(old: str, new: str) -> str:
    """The one line of warning for a name that will go."""
    return f"{old} is called {new} now; the old name works until the next release"


def current_names(
    items: Iterable[Renamed], values: Mapping[str, Any], warn: Callable[[str], object] | None = None
) -> dict[str, Any]:
    """`values` by name, those under a former name of one of `items` moved to its present name.

    Where both names are there, the former one counts if the present one only repeats the default, as a parameter file
    with every parameter does. `warn` gets one line for each former name. Raises SettingError where both differ.
    """
    out = dict(values)
    for item in items:
        for old in item.formerly:
            if old not in out:
                continue
            value = out.pop(old)
            present = out.get(item.name, item.default)
            if present not in (item.default, value):
                raise SettingError(
                    f"{item.name} is {present!r}, but {old}, its former name, is {value!r}: give {item.name} alone"
                )
            out[item.name] = value
            if warn:
                warn(renaming_line(old, item.name))
    return out


def add_settings_arguments(parser: argparse.ArgumentParser, cls: type, *, skip: tuple[str, ...] = ()) -> None:
    """Add one flag per setting of `cls` to `parser`, except those named in `skip`."""
    group = parser.add_argument_group(f"{cls.__name__} settings")
    for item in settings_of(cls):
        if item.name in skip:
            continue
        bounds = f", {item.range_text}" if item.range_text else ""
        text = f"{item.help} (default {item.default}{bounds})".replace("%", "%%")
        if item.kind is bool:
            action = group.add_argument(
                item.flag, action=argparse.BooleanOptionalAction, default=item.default, help=text
            )
        else:
            action = group.add_argument(
                item.flag,
                type=_reader(item),
                default=item.default,
                choices=item.choices or None,
                metavar=None if item.choices else item.kind.__name__.upper(),
                help=text,
            )
        add_former_flags(group, action, *map(flag_of, item.formerly))


def add_former_flags(parser: argparse._ActionsContainer, action: argparse.Action, *flags: str) -> None:
    """Let a flag still be called by its former names: hidden from --help, each use prints one line to stderr."""
    assert not action.required, "argparse would ask for a required flag even where its former name is given"
    for flag in flags:
        hidden: dict[str, Any] = {"dest": action.dest, "default": argparse.SUPPRESS, "help": argparse.SUPPRESS}
        no_flags = ["--no-" + flag[2:]] if isinstance(action, argparse.BooleanOptionalAction) else []
        parser.add_argument(flag, *no_flags, action=_FormerFlag, present=action, **hidden)


class _FormerFlag(argparse.Action):
    """Does what another flag does, and prints that flag's name."""

    def __init__(self, option_strings: Sequence[str], dest: str, present: argparse.Action, **given: Any) -> None:
        super().__init__(option_strings, dest, present.nargs, present.const, type=present.type, **given)  # type: ignore[arg-type]
        self.choices, self.metavar = present.choices, present.metavar
        self._present = dict(zip(option_strings, present.option_strings, strict=False))  # --no-old -> --no-new
        self._action = present

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        present = self._present[option or self.option_strings[0]]
        print(f"{parser.prog}: {renaming_line(option or '', present)}", file=sys.stderr)
        self._action(parser, namespace, values, present)


def _reader(item: Setting) -> Callable[[str], Any]:
    """The text of a flag -> its value, checked at once: a mistake costs no import of a heavy package."""

    def read(text: str) -> Any:
        try:
            return item.check(item.kind(text))
        except ValueError:
            wanted = "a whole number" if item.kind is int else "a number"
            raise argparse.ArgumentTypeError(f"must be {wanted}, got '{text}'") from None
        except SettingError as error:
            raise argparse.ArgumentTypeError(str(error).removeprefix(f"{item.name} ")) from None

    return read


def settings_from_arguments(cls: type[T], args: argparse.Namespace, **fixed: Any) -> T:
    """Build `cls` from parsed flags; `fixed` gives the settings that have no flag. Raises SettingError."""
    values = {item.name: getattr(args, item.name) for item in settings_of(cls) if hasattr(args, item.name)}
    return cls(**{**values, **fixed})
