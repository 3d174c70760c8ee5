"""Node parameters from settings dataclasses: declare, read, check on change, and write the YAML that documents them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from sem_field_ros.errors import SettingError, did_you_mean
from sem_field_ros.settings import Setting, current_names, settings_of

T = TypeVar("T")
_INT_MAX = 2**31 - 1
_FLOAT_MAX = 1e300
_KIND_NAMES = {bool: "true or false", int: "a whole number", float: "a number with a decimal point", str: "text"}


def declare_settings(node: Node, cls: type, dynamic: Iterable[str] = ()) -> None:
    """Declare one parameter per setting of `cls`, with its help, range and choices as descriptor.

    An override under a former name of a setting is taken over with one line of warning. Raises SettingError with one
    line where an override given at start (YAML, `-p`) does not fit.
    """
    _rename_overrides(node, settings_of(cls))
    for item in settings_of(cls):
        if node.has_parameter(item.name):
            continue
        try:
            node.declare_parameter(item.name, item.default, descriptor(item, item.name in set(dynamic)))
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            given = node._parameter_overrides[item.name].value if item.name in node._parameter_overrides else "?"
            raise SettingError(f"parameter {item.name} must be {_wanted(item)}, got {given!r}") from error
        item.check(node.get_parameter(item.name).value)


def warn_of_unknown_parameters(node: Node, classes: Iterable[type], args: Sequence[str]) -> None:
    """Warn of parameters that were given at start and that the node does not have, and of files for other nodes.

    args  the command line, for the names in its parameter files
    """
    former = {name for cls in classes for item in settings_of(cls) for name in item.formerly}
    known = [name for name in node._parameters if not name.startswith("qos_overrides")]
    for name in node._parameter_overrides:
        if not node.has_parameter(name) and name not in former and not name.startswith("qos_overrides"):
            node.get_logger().warning(f"parameter {name} is unknown and has no effect{did_you_mean(name, known)}")
    for file in (args[i + 1] for i, word in enumerate(args[:-1]) if word == "--params-file"):
        try:
            content = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError):
            continue  # rcl has told it
        names = [str(name) for name in content] if isinstance(content, dict) else []
        own = {node.get_name(), node.get_fully_qualified_name(), node.get_fully_qualified_name().lstrip("/")}
        if names and not any(name in own or "*" in name or name == node.get_namespace() for name in names):
            hint = did_you_mean(node.get_name(), names)
            node.get_logger().warning(
                f"{file} has parameters of {', '.join(names[:5])}, none of {node.get_name()}{hint}"
            )


def _rename_overrides(node: Node, items: Iterable[Setting]) -> None:
    overrides = node._parameter_overrides
    given = {name: parameter.value for name, parameter in overrides.items()}
    for name, value in current_names(items, given, node.get_logger().warning).items():
        if name not in overrides or overrides[name].value != value:
            overrides[name] = Parameter(name, value=value)


def descriptor(item: Setting, dynamic: bool) -> ParameterDescriptor:
    """The parameter descriptor of a setting: description, range, choices, when a change takes effect."""
    limits = []
    if item.choices:
        limits.append("one of: " + ", ".join(item.choices))
    limits.append("takes effect at once" if dynamic else "takes effect at the next configure")
    out = ParameterDescriptor(name=item.name, description=item.help, additional_constraints="; ".join(limits))
    if item.kind is float and (item.minimum is not None or item.maximum is not None):
        low = -_FLOAT_MAX if item.minimum is None else float(item.minimum)
        high = _FLOAT_MAX if item.maximum is None else float(item.maximum)
        out.floating_point_range = [FloatingPointRange(from_value=low, to_value=high, step=0.0)]
    if item.kind is int and (item.minimum is not None or item.maximum is not None):
        low_int = -_INT_MAX if item.minimum is None else int(item.minimum)
        high_int = _INT_MAX if item.maximum is None else int(item.maximum)
        out.integer_range = [IntegerRange(from_value=low_int, to_value=high_int, step=0)]
    return out


def settings_from_node(node: Node, cls: type[T]) -> T:
    """Build `cls` from the node's present parameters. Raises SettingError with one line."""
    return cls(**{item.name: node.get_parameter(item.name).value for item in settings_of(cls)})


def guard_changes(
    node: Node, classes: Iterable[type], dynamic: Iterable[str], is_configured: Callable[[], bool]
) -> Callable[[list[Parameter]], SetParametersResult]:
    """Refuse changes that do not fit their setting, and changes of fixed parameters while the node is configured."""
    known = {item.name: item for cls in classes for item in settings_of(cls)}
    changeable = frozenset(dynamic)

    def check(parameters: list[Parameter]) -> SetParametersResult:
        for parameter in parameters:
            item = known.get(parameter.name)
            if item is None:
                continue
            try:
                value = item.check(parameter.value)
            except SettingError as error:
                return SetParametersResult(successful=False, reason=str(error))
            current = node.get_parameter(item.name).value
            if item.name not in changeable and is_configured() and value != current:
                reason = f"{item.name} is fixed while the node is configured: deactivate and clean up first"
                return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(check)
    return check


def parameters_yaml(title: str, sections: Iterable[tuple[str, type]], dynamic: Iterable[str] = ()) -> str:
    """The parameter file of a node: every parameter with its default and, above it, what it means."""
    changeable = frozenset(dynamic)
    lines = [f"# {title}", "/**:", "  ros__parameters:"]
    told: set[str] = set()  # a class may extend another one's settings
    for heading, cls in sections:
        lines += ["", f"    # --- {heading}"]
        for item in settings_of(cls):
            if item.name in told:
                continue
            told.add(item.name)
            lines += [f"    # {line}" for line in textwrap.wrap(_comment(item, item.name in changeable), 110)]
            lines.append(f"    {item.name}: {_yaml_value(item.default)}")
    return "\n".join(lines) + "\n"


def _comment(item: Setting, dynamic: bool) -> str:
    notes = [f"one of {' | '.join(item.choices)}"] if item.choices else []
    notes += [item.range_text] if item.range_text else []
    notes += ["can change while running"] if dynamic else []
    return item.help + (f" ({'; '.join(notes)})" if notes else "")


def _yaml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        text = f"{value:.12g}"
        return text if "." in text and "e" not in text else f"{value:.1f}"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _wanted(item: Setting) -> str:
    if item.choices:
        return "one of " + ", ".join(item.choices)
    return " ".join([_KIND_NAMES[item.kind], item.range_text]).strip()
