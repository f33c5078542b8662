"""A configured run: a workflow of a txtai application file, then groups, report and plan."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from hashlens.cleanup.files import numbered
from hashlens.cleanup.plan import journal_of, make_plan
from hashlens.errors import HashlensError, ParameterError, QueryError
from hashlens.grouping.keepers import DEFAULT_RULES, rule_names
from hashlens.grouping.scope import Terms
from hashlens.index.directory import write_lock
from hashlens.index.host import host
from hashlens.index.image_index import ImageIndex

# Application keys that need no model: whatever else stands at the top is a pipeline of txtai's.
PLAIN_KEYS = frozenset(
    ("path", "writable", "reindex", "cloud", "embeddings", "workflow", "hashlens")
)


def run(
    config: str | os.PathLike[str], elements: Sequence[str] = (), *, workflow: str | None = None
) -> dict[str, Any]:
    """Run a workflow of a txtai application file, and return what came of it.

    The workflow is the one named, the one that the file names under `hashlens: {workflow: …}`,
    or the only one; the elements, such as folders, are those given or `hashlens: {elements: […]}`.
    What a workflow gives is in `results`, unless it ends by writing to the index. Then come, where
    the file has them under `hashlens`, `groups` (parameters of `ImageIndex.groups`), `report`
    (`html`, `mosaics`) and `plan` (`action`, `to`, `protect`, `backup`, `out`), which is written
    for review and never carried out. Raises ParameterError for a file that cannot be run so,
    IndexingError where another process is writing to the index, and QueryError where the workflow
    fails.
    """
    settings = _read(config)
    own = _section(settings, "hashlens", config)
    name = workflow or own.get("workflow") or _only(settings, config)
    chosen = list(elements) or _elements(own.get("elements"))
    steps = _steps(own, settings, config)
    if name not in _section(settings, "workflow", config):
        msg = f"{config} has no workflow {name!r}"
        raise ParameterError(msg)
    if not chosen:
        msg = f"{config} names no elements to run {name!r} on; give some, such as a folder"
        raise ParameterError(msg)
    actions = _actions(settings["workflow"][name])
    if actions and str(actions[0]).startswith("hashlens.Image"):
        for element in chosen:
            if not os.path.exists(element):
                msg = f"no such file or directory: {element}"
                raise ParameterError(msg)
    with _sole_writer(settings):
        results, rows = _results(settings, config, name, chosen)
    summary = {"workflow": name, "elements": len(chosen), "index": settings.get("path")}
    writes = bool(actions) and actions[-1] in ("index", "upsert")
    summary |= {"rows": rows, "results": len(results) if writes else results}
    if not (steps and writes):
        return summary
    folders = chosen if actions[0] == "hashlens.ImageRows" else []
    return summary | _cleaned(settings["path"], steps, folders)


# What each step takes. All are checked before the first begins.
_TAKES = {
    "groups": {
        "max_distance",
        "linkage",
        "metric",
        "between",
        "not_same_folder",
        "crops",
        "keep",
        "workers",
    },
    "report": {"html", "mosaics"},
    "plan": {"action", "to", "protect", "backup", "out"},
}
_OF_TERMS = ("max_distance", "linkage", "metric", "not_same_folder", "keep")
_NEEDS = {"report": ("html", "mosaics"), "plan": ("action",)}


def _steps(
    own: dict[str, Any], settings: dict[str, Any], config: str | os.PathLike[str]
) -> dict[str, dict[str, Any]]:
    """Return the steps after the workflow, with their parameters."""
    steps = {name: _section(own, name, config) for name in _TAKES if name in own}
    for name, given in steps.items():
        unknown = ", ".join(sorted(map(str, set(given) - _TAKES[name])))
        if unknown:
            msg = f"{config}: {name} has no {unknown}; known are {', '.join(sorted(_TAKES[name]))}"
            raise ParameterError(msg)
        needed = _NEEDS.get(name, ())
        if needed and not any(given.get(key) for key in needed):
            msg = f"{config}: {name} needs {' or '.join(needed)}"
            raise ParameterError(msg)
    if steps and not settings.get("path"):
        msg = f"{config}: {', '.join(steps)} are of an index, and the file names no path"
        raise ParameterError(msg)
    try:
        _check(steps)
    except ParameterError as error:
        msg = f"{config}: {error}"
        raise ParameterError(msg) from error
    return steps


def _check(steps: dict[str, dict[str, Any]]) -> None:
    """Raise ParameterError for values that cannot work, before hours have gone by."""
    groups = {key: value for key, value in steps.get("groups", {}).items() if key in _OF_TERMS}
    if groups.get("max_distance", "auto") == "auto":
        groups["max_distance"] = 0
    Terms(**groups | {"keep": rule_names(groups.get("keep", DEFAULT_RULES))})
    if "plan" in steps:
        make_plan((), **{key: value for key, value in steps["plan"].items() if key != "out"})


def _cleaned(path: str, steps: dict[str, dict[str, Any]], folders: list[Any]) -> dict[str, Any]:
    """Group the images of an index, and write report and plan; returns what was found."""
    with ImageIndex.open(path, create=False) as index:
        if folders:
            index.index(folders)  # which drops the rows of files that are gone, as no workflow does
        found = index.groups(**steps.get("groups", {}))
    done: dict[str, Any] = {"groups": len(found), "links": len(found.links)}
    report, plan = steps.get("report", {}), dict(steps.get("plan", {}))
    if report.get("html"):
        found.save_html(report["html"])
        done["html"] = report["html"]
    if report.get("mosaics"):
        done["mosaics"] = len(found.save_mosaics(report["mosaics"]))
    if plan:
        # A plan that was applied stays with its journal: the next run takes the next name.
        names = numbered(plan.pop("out", "plan.jsonl"))
        out = next(name for name in names if not os.path.exists(journal_of(name)))
        made = found.plan(**plan)
        made.save(out)
        done["plan"] = {"file": out, **made.summary()}
    return done


def _results(
    settings: dict[str, Any], config: str | os.PathLike[str], name: str, elements: list[Any]
) -> tuple[list[Any], int | None]:
    """Return what a workflow gives, and how many rows the index has then."""
    copy = host(_models(settings, config))
    with copy.active():
        try:
            application = copy.module("txtai.app").Application(settings)
            results = list(application.workflow(name, elements))
            return results, application.count() if application.embeddings else None
        except HashlensError:
            raise
        except Exception as error:
            msg = f"the workflow {name!r} of {config} failed: {error}"
            raise QueryError(msg) from error


def _sole_writer(settings: dict[str, Any]) -> AbstractContextManager[None]:
    """Hold the lock of the index that is written to, if there is one."""
    if not (settings.get("path") and settings.get("writable")):
        return nullcontext()
    path = Path(settings["path"])
    path.mkdir(parents=True, exist_ok=True)
    return write_lock(path)


def _actions(workflow: Any) -> list[Any]:
    """Return the actions of a workflow, in their order."""
    tasks = workflow.get("tasks") or [] if isinstance(workflow, dict) else []
    return [task.get("action") if isinstance(task, dict) else task for task in tasks]


def _read(config: str | os.PathLike[str]) -> dict[str, Any]:
    import yaml  # noqa: PLC0415  only this needs it

    try:
        with open(config, encoding="utf-8") as file:
            settings = yaml.safe_load(file)
    except OSError as error:
        msg = f"{config}: {error.strerror or error}"
        raise ParameterError(msg) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        msg = f"{config} is not YAML: {error}"
        raise ParameterError(msg.replace("\n", " ")) from error
    if not isinstance(settings, dict) or not all(isinstance(key, str) for key in settings):
        msg = f"{config} is not a txtai application file: expected keys such as workflow"
        raise ParameterError(msg)
    return settings


def _only(settings: dict[str, Any], config: str | os.PathLike[str]) -> str:
    names = list(_section(settings, "workflow", config))
    if len(names) != 1:
        msg = f"{config} has {len(names)} workflows ({', '.join(names)}); name one"
        raise ParameterError(msg)
    return str(names[0])


def _section(settings: dict[str, Any], name: str, config: str | os.PathLike[str]) -> dict[str, Any]:
    section = settings.get(name) or {}
    if not isinstance(section, dict):
        msg = f"{config}: {name} must hold keys, not {section!r}"
        raise ParameterError(msg)
    return section


def _elements(value: Any) -> list[Any]:
    return [value] if isinstance(value, str) else list(value or ())


def _models(settings: dict[str, Any], config: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what decides whether torch is needed: the index, and pipelines that are txtai's."""
    theirs = [key for key in settings if key not in PLAIN_KEYS and not key.startswith("hashlens.")]
    embeddings = _section(settings, "embeddings", config)
    return {**embeddings, **({"path": True} if theirs else {})}
