"""Read a txtai application file in YAML, and check the steps that a run adds to it."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from hashlens.cleanup.actions import DEFAULT_ACTION, default_folder
from hashlens.cleanup.plan import make_plan
from hashlens.cleanup.plan_file import is_csv
from hashlens.errors import (
    ParameterError,
    PlanError,
    require_flags,
    require_known,
    require_path,
    shown,
)
from hashlens.grouping.groups import Groups
from hashlens.index.arguments import index_path
from hashlens.index.groups import check_arguments
from hashlens.index.reader import Reader

# Keys of an application file that need no model: any other key is a pipeline of txtai's.
PLAIN_KEYS = frozenset(
    ("path", "writable", "reindex", "cloud", "embeddings", "workflow", "hashlens")
)
# Those that a misspelt key is meant to be: nothing else would say that it was passed over.
_MEANT = ("embeddings", "hashlens", "workflow")


def _parameters(method: Callable[..., Any]) -> set[str]:
    """Return the names of the parameters of a method that can be written in a file."""
    return set(inspect.signature(method).parameters) - {"self", "progress"}


# The steps after a workflow, with their parameters: those of the methods that carry them out.
STEPS = {
    "groups": _parameters(Reader.groups),
    "report": {"html", "mosaics", "verify"},
    "plan": {*_parameters(Groups.plan), "out"},
}
OUT = "plan.jsonl"  # the file of a plan, if the file names none
KEYS = ("workflow", "elements", *STEPS)  # under `hashlens`


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
        _require_no_other_keys(name, settings)
        return cls(name, settings)

    def section(self, name: str) -> dict[str, Any]:
        """Return what a key at the top holds, which must be keys; empty if it is not there."""
        return self._keys(self.settings, name)

    def workflow(self, name: str | None) -> str:
        """Return the workflow to run: the one named, the one under `hashlens`, or the only one."""
        workflows = self.section("workflow")
        chosen = name or self.section("hashlens").get("workflow")
        if chosen is not None and not isinstance(chosen, str):
            msg = f"{self.path}: hashlens: workflow must be the name of one, not {shown(chosen)}"
            raise ParameterError(msg)
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
        elements = [own] if isinstance(own, str) else own
        if not isinstance(elements, (list, tuple)) or not all(
            isinstance(item, str) for item in elements
        ):
            msg = f"{self.path}: hashlens: elements must be a list of texts, not {shown(own)}"
            raise ParameterError(msg)
        return list(given) or list(elements)

    def steps(self) -> dict[str, dict[str, Any]]:
        """Return the steps after the workflow, with their parameters, all of them checked.

        Raises ParameterError for keys that are not known and for parameters that cannot work,
        before hours have gone by.
        """
        own = self.section("hashlens")
        with self._named():
            require_known("hashlens", own, KEYS)
        steps = {name: self._keys(own, name) for name in STEPS if name in own}
        for name, given in steps.items():
            with self._named():
                require_known(name, given, STEPS[name])
        if steps and not self.settings.get("path"):
            msg = f"{self.path}: {', '.join(steps)} need an index, and the file names no path"
            raise ParameterError(msg)
        for name in steps:
            with self._named(name):
                _CHECKS[name](steps, self.settings)
        return steps

    @contextmanager
    def _named(self, step: str = "") -> Iterator[None]:
        """Let errors name the file, and the step that they are about."""
        try:
            yield
        except (ParameterError, PlanError) as error:
            place = f"{self.path}: {step}: " if step else f"{self.path}: "
            msg = f"{place}{error}"
            raise ParameterError(msg) from error

    def models(self) -> dict[str, Any]:
        """Return an index configuration that needs a model if the application needs one."""
        plain = {key for key in self.settings if key in PLAIN_KEYS or key.startswith("hashlens.")}
        pipelines = {"path": True} if set(self.settings) - plain else {}
        return self.section("embeddings") | pipelines

    def _keys(self, settings: Mapping[str, Any], name: str) -> dict[str, Any]:
        keys = settings.get(name)
        if keys is None:
            return {}
        if not isinstance(keys, dict):
            msg = f"{self.path}: {name} must hold keys, not {keys!r}"
            raise ParameterError(msg)
        return keys


def _require_no_other_keys(path: str, keys: Mapping[str, Any]) -> None:
    """Raise ParameterError for a key at the top that is nearly one of ours.

    Other keys name pipelines of txtai's.
    """
    for key in keys:
        near = get_close_matches(key.lower(), _MEANT, 1, 0.8)
        if near and key not in PLAIN_KEYS and "." not in key and near[0] not in keys:
            msg = f"{path}: {key} is no key of an application file: did you mean {near[0]}?"
            raise ParameterError(msg)


def _check_groups(steps: Mapping[str, Mapping[str, Any]], _: Mapping[str, Any]) -> None:
    check_arguments(steps["groups"])


def _check_report(steps: Mapping[str, Mapping[str, Any]], _: Mapping[str, Any]) -> None:
    given = steps["report"]
    require_flags(verify=given.get("verify", True))
    outputs = {name: given[name] for name in ("html", "mosaics") if given.get(name)}
    if not outputs:
        msg = "html or mosaics is needed"
        raise ParameterError(msg)
    for name, value in outputs.items():
        require_path(name, value)


def _check_plan(steps: Mapping[str, Mapping[str, Any]], settings: Mapping[str, Any]) -> None:
    given, groups = steps["plan"], steps.get("groups", {})
    how = {key: value for key, value in given.items() if key not in ("out", "links")}
    action = how.setdefault("action", DEFAULT_ACTION)
    if how.get("to") is None:
        how["to"] = default_folder(action, str(index_path(settings["path"])))
    make_plan((), **how)
    require_path("out", given.get("out", OUT))
    is_csv(given.get("out", OUT))  # raises for another extension
    require_flags(links=given.get("links", False))
    if given.get("links") and (not groups.get("crops") or groups.get("only")):
        msg = "links needs the links of groups: crops: true, without only"
        raise ParameterError(msg)


_CHECKS = {"groups": _check_groups, "report": _check_report, "plan": _check_plan}
