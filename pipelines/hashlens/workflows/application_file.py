"""Read a txtai application file in YAML, and check the steps that a run adds to it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hashlens.cleanup.plan import make_plan
from hashlens.errors import ParameterError
from hashlens.grouping.keepers import keep_order
from hashlens.grouping.scope import Terms

# Keys of an application file that need no model: any other key is a pipeline of txtai's.
PLAIN_KEYS = frozenset(
    ("path", "writable", "reindex", "cloud", "embeddings", "workflow", "hashlens")
)
# The steps after a workflow, with their parameters.
STEPS = {
    "groups": {
        "max_distance",
        "linkage",
        "metric",
        "between",
        "not_same_folder",
        "crops",
        "keep",
        "keep_only",
        "only",
        "verify",
        "turned",
        "workers",
    },
    "report": {"html", "mosaics", "verify"},
    "plan": {
        "action",
        "to",
        "protect",
        "backup",
        "hard_links",
        "partners",
        "verify",
        "links",
        "out",
    },
}
_NEEDS = {"report": ("html", "mosaics"), "plan": ("action",)}  # at least one of them
_OF_TERMS = ("max_distance", "linkage", "metric", "not_same_folder", "only", "turned")


@dataclass(frozen=True)
class ApplicationFile:
    """A txtai application file.

    - `path`: its path, which errors name
    - `settings`: its content, by the keys at the top
    """

    path: str
    settings: Mapping[str, Any]

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> ApplicationFile:
        """Read a file; raises ParameterError if it is not an application file in YAML."""
        import yaml  # noqa: PLC0415  only runs need it

        name = os.fspath(path)
        try:
            with open(name, encoding="utf-8") as file:
                settings = yaml.safe_load(file)
        except OSError as error:
            msg = f"{name}: {error.strerror or error}"
            raise ParameterError(msg) from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            msg = f"{name} is not YAML: {error}"
            raise ParameterError(msg.replace("\n", " ")) from error
        if not isinstance(settings, dict) or not all(isinstance(key, str) for key in settings):
            msg = f"{name} is not a txtai application file: expected keys such as workflow"
            raise ParameterError(msg)
        return cls(name, settings)

    def section(self, name: str) -> dict[str, Any]:
        """Return what a key at the top holds, which must be keys; empty if it is not there."""
        return self._keys(self.settings, name)

    def workflow(self, name: str | None) -> str:
        """Return the workflow to run: the one named, the one under `hashlens`, or the only one."""
        workflows = self.section("workflow")
        chosen: str | None = name or self.section("hashlens").get("workflow")
        if not chosen and len(workflows) != 1:
            msg = f"{self.path} has {len(workflows)} workflows ({', '.join(workflows)}); name one"
            raise ParameterError(msg)
        chosen = chosen or next(iter(workflows))
        if chosen not in workflows:
            msg = f"{self.path} has no workflow {chosen!r}"
            raise ParameterError(msg)
        return chosen

    def actions(self, workflow: str) -> list[Any]:
        """Return the actions of a workflow, in their order."""
        settings = self.section("workflow")[workflow]
        tasks = settings.get("tasks") or [] if isinstance(settings, dict) else []
        return [task.get("action") if isinstance(task, dict) else task for task in tasks]

    def elements(self, given: Sequence[str]) -> list[Any]:
        """Return the elements to run a workflow on: those given, or those under `hashlens`."""
        own = self.section("hashlens").get("elements") or ()
        return list(given) or ([own] if isinstance(own, str) else list(own))

    def steps(self) -> dict[str, dict[str, Any]]:
        """Return the steps after the workflow, with their parameters, all of them checked.

        Raises ParameterError for parameters that cannot work, before hours have gone by.
        """
        own = self.section("hashlens")
        steps = {name: self._keys(own, name) for name in STEPS if name in own}
        for name, given in steps.items():
            unknown = ", ".join(sorted(map(str, set(given) - STEPS[name])))
            if unknown:
                known = ", ".join(sorted(STEPS[name]))
                msg = f"{self.path}: {name} has no {unknown}; known are {known}"
                raise ParameterError(msg)
            needed = _NEEDS.get(name, ())
            if needed and not any(given.get(key) for key in needed):
                msg = f"{self.path}: {name} needs {' or '.join(needed)}"
                raise ParameterError(msg)
        if steps and not self.settings.get("path"):
            msg = f"{self.path}: {', '.join(steps)} need an index, and the file names no path"
            raise ParameterError(msg)
        try:
            _check_values(steps)
        except ParameterError as error:
            msg = f"{self.path}: {error}"
            raise ParameterError(msg) from error
        return steps

    def models(self) -> dict[str, Any]:
        """Return an index configuration that needs a model if the application needs one."""
        plain = {key for key in self.settings if key in PLAIN_KEYS or key.startswith("hashlens.")}
        pipelines = {"path": True} if set(self.settings) - plain else {}
        return self.section("embeddings") | pipelines

    def _keys(self, settings: Mapping[str, Any], name: str) -> dict[str, Any]:
        keys = settings.get(name) or {}
        if not isinstance(keys, dict):
            msg = f"{self.path}: {name} must hold keys, not {keys!r}"
            raise ParameterError(msg)
        return keys


def _check_values(steps: Mapping[str, Mapping[str, Any]]) -> None:
    given = steps.get("groups", {})
    groups = {key: value for key, value in given.items() if key in _OF_TERMS}
    if groups.get("max_distance", "auto") == "auto":
        groups["max_distance"] = 0
    Terms(**groups, keep=keep_order(given.get("keep", ()), given.get("keep_only")))
    if "plan" in steps:
        plan = {key: value for key, value in steps["plan"].items() if key not in ("out", "links")}
        make_plan((), **plan)
        if steps["plan"].get("links") and (not given.get("crops") or given.get("only")):
            msg = "plan with links needs the links of groups: crops: true, without only"
            raise ParameterError(msg)
