"""The components that a model can turn on: the project's own, and those of other packages by entry point.

Another package adds a rule with an entry point of the group `cpm_opt.components` whose name is the table's name in a
model and whose object is a frozen dataclass. Only these names can stand in a model, so a model runs no foreign file.
"""

from __future__ import annotations

import os
from importlib.metadata import EntryPoint, entry_points

from cpm_opt.faults import Fault, InputError

GROUP = "cpm_opt.components"
PLUGINS_VARIABLE = "CPM_OPT_PLUGINS"
"""Set to 0 in the environment, the components of other packages are left out (as in the project's own tests)."""


def registered_components() -> dict[str, type]:
    """Every component by its name, the project's own first.

    Raises InputError for a name taken twice and for an entry point that is no component.
    """
    from cpm_opt.formulation.components import COMPONENTS

    found: dict[str, type] = dict(COMPONENTS)
    if os.environ.get(PLUGINS_VARIABLE) == "0":
        return found
    faults = []
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        if entry.name in found:
            faults.append(
                _fault(entry, f"the name '{entry.name}' is taken already", "rename or uninstall one of them")
            )
            continue
        component = _loaded(entry)
        if isinstance(component, Fault):
            faults.append(component)
        else:
            found[entry.name] = component
    if faults:
        raise InputError(faults)
    return found


def _loaded(entry: EntryPoint) -> type | Fault:
    """The class behind an entry point, or what is wrong with it."""
    try:
        component = entry.load()
    except Exception as error:  # whatever the foreign package raises, the user is told whose it is
        return _fault(
            entry, f"cannot be loaded ({type(error).__name__}: {error})", "mend or uninstall its package"
        )
    parameters = getattr(component, "__dataclass_params__", None)
    if not isinstance(component, type) or parameters is None or not parameters.frozen:
        return _fault(entry, "is no frozen dataclass", "mend or uninstall its package")
    return component


def _fault(entry: EntryPoint, message: str, remedy: str) -> Fault:
    package = entry.dist.name if entry.dist is not None else "an unnamed package"
    return Fault(f"component {entry.value} of {package}", message, remedy, code="plugin")
