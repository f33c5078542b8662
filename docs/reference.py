"""Write docs/api.md: the signature and the docstring of every name in `hashlens.__all__`.

`make docs` runs this file inside docs/api.md, and `make lint` checks that nothing has changed.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

import hashlens
from hashlens.index.host import host

WIDTH = 100  # of a line of code
# What is looked for together. A name that stands here before it is public is passed over.
TOPICS = {
    "An index": (
        "ImageIndex",
        *("Report", "Progress", "Skipped"),
        *("Match", "Place", "Explanation", "Duplicates", "Calibration"),
    ),
    "Groups": ("Groups", "Group", "Member", "Pair", "Doubt", "Link", "Decision"),
    "Plans": ("make_plan", "Plan", "Step", "apply", "undo", "Outcome"),
    "Without an index": (
        *("hash_files", "compare", "find_duplicates"),
        *("PerceptualHash", "distance", "similarity"),
        *("file_digest", "pixel_digest", "sharpness", "FORMATS"),
        *("name_of", "text_of"),
    ),
    "Pictures of results": ("draw_matches", "draw_hash"),
    "Accuracy": ("evaluate", "Card"),
    "For txtai": ("ImageHash", "ImageRows", "ImageVectors", "SQL_FUNCTIONS"),
    "Errors": (
        "HashlensError",
        *("FingerprintError", "ImageError", "IndexingError"),
        *("ParameterError", "PlanError", "QueryError"),
    ),
}
# A line of a docstring that says what a parameter or field means.
MEANING = re.compile(r"(?:- )?`?\**(\w+)`?: (.+)")
# Values have no docstring of their own.
VALUES = {
    "FORMATS": "The known image formats, a tuple. Each format has a `name`, its file `extensions`, "
    "`popular` (whether it is common), `readable` (whether it can be read here), and `reader`: the "
    "package that reads it, or how to install that package.",
    "SQL_FUNCTIONS": "The SQL functions `distance` and `similarity`, a list for the setting "
    "`functions` of a txtai index that has txtai's own SQLite as its content database.",
}
# Classes that other calls make, with the fields that are for users.
MADE_ELSEWHERE: dict[str, tuple[str, ...]] = {"ImageIndex": (), "Groups": ("links",)}


def write(line: Callable[[str], None]) -> None:
    """Write the reference, line by line."""
    with host().active():  # without models: they take seconds to load, and say nothing here
        for topic, names in topics().items():
            line(f"## {topic}\n")
            for name in names:
                for text in _entry(name, getattr(hashlens, name)):
                    line(f"{text}\n")


def topics() -> dict[str, list[str]]:
    """Return the public names by topic; raises ValueError for a name without one."""
    found = {
        topic: [name for name in names if name in hashlens.__all__]
        for topic, names in TOPICS.items()
    }
    missing = set(hashlens.__all__) - {name for names in found.values() for name in names}
    if missing:
        msg = f"docs/reference.py has no topic for {', '.join(sorted(missing))}"
        raise ValueError(msg)
    return found


def _entry(name: str, value: Any) -> Iterator[str]:
    yield f"### {name}"
    if name in VALUES:
        yield VALUES[name]
    elif inspect.isclass(value):
        yield from _class(name, value)
    else:
        yield from _function(value, name)


def _function(function: Callable[..., Any], name: str, kind: str = "def", **how: Any) -> list[str]:
    before, meanings, after = _told(function, inspect.signature(function).parameters)
    listed = [f"- `{name}`: {meaning}" for name, meaning in meanings.items()]
    parts = _code(function, f"{kind} {name}", **how), before, "\n".join(listed), after
    return [part for part in parts if part]


def _class(name: str, kind: type) -> Iterator[str]:
    fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    made_elsewhere = name in MADE_ELSEWHERE
    shown = [field for field in fields if field.name in MADE_ELSEWHERE.get(name, (field.name,))]
    before, meanings, after = _told(kind, [field.name for field in shown])
    if issubclass(kind, Exception):
        bases = ", ".join(base.__name__ for base in kind.__bases__)
        yield f"```python\nclass {name}({bases}): ...\n```"
    elif "__init__" in vars(kind) and not fields and not made_elsewhere:
        yield _code(kind, f"class {name}")
    yield before
    ours = [base for base in kind.__mro__ if base.__module__.startswith("hashlens")]
    known = {key: member for base in reversed(ours) for key, member in vars(base).items()}
    members = {
        key: known[key]
        for key in dict.fromkeys(key for base in ours for key in vars(base))
        if (key == "__call__" or not key.startswith("_")) and key not in {f.name for f in fields}
    }
    facts = [_fact(field, meanings) for field in shown]
    facts += [_property(key, member) for key, member in members.items() if _getter(member)]
    if facts:
        yield "\n".join(facts)
    if after:
        yield after
    for key, member in members.items():
        if isinstance(member, classmethod):
            yield f"#### `{name}.{key}`"
            yield from _function(getattr(kind, key), key, "@classmethod\ndef")
        elif inspect.isfunction(member):
            yield f"#### `{name}.{key}`"
            yield from _function(member, key, bound=True)


def _fact(field: dataclasses.Field[Any], meanings: dict[str, str]) -> str:
    known = field.default is not dataclasses.MISSING
    default = f" = {_literal(field.default)}" if known else ""
    meaning = f": {meanings[field.name]}" if field.name in meanings else ""
    return f"- `{field.name}: {field.type}{default}`{meaning}"


def _property(key: str, member: Any) -> str:
    get = _getter(member)
    said = " ".join((inspect.getdoc(get) or "").split()).removeprefix("Return ")
    return f"- `{key}: {inspect.signature(get).return_annotation}`: {said}"


def _getter(member: Any) -> Any:
    """Return the function of a property, cached or not; None for any other member."""
    return getattr(member, "fget", None) or getattr(member, "func", None)


def _told(value: Any, names: Collection[str]) -> tuple[str, dict[str, str], str]:
    """Split a docstring: what comes before lines such as `name: meaning`, they, and the rest."""
    before: list[str] = []
    after: list[str] = []
    meanings: dict[str, str] = {}
    rest, last = before, ""
    for line in (inspect.getdoc(value) or "").splitlines():
        meaning = MEANING.fullmatch(line)
        if meaning and meaning[1] in names:
            rest, last = after, meaning[1]
            meanings[last] = meaning[2]
        elif last and line.startswith(" "):
            meanings[last] += f" {line.strip()}"
        else:
            last = ""
            rest.append(line)
    return "\n".join(before).strip(), meanings, "\n".join(after).strip()


class _Bare(str):
    """Code that is shown without quotes around it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _literal(value: Any) -> _Bare:
    return _Bare(repr(value).replace("'", '"'))


def _type(annotation: str) -> _Bare:
    # Three closing brackets in a row would end the block for cog, too.
    return _literal(_Bare(annotation.replace("list[dict[str, Any]]", "list[Row]")))


def _code(function: Callable[..., Any], start: str, *, bound: bool = False) -> str:
    """Return a signature as the code formatter would write it, on one line or on several."""
    given = inspect.signature(function)
    parts: list[str] = []
    starred = False
    for parameter in list(given.parameters.values())[1 if bound else 0 :]:
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            parts.append("*")
        starred = starred or parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        shown = parameter.replace(annotation=_type(parameter.annotation))
        if parameter.default is not parameter.empty:
            shown = shown.replace(default=_literal(parameter.default))
        parts.append(str(shown))
    arrow = "" if inspect.isclass(function) else f" -> {_type(given.return_annotation)}"
    line = f"{start}({', '.join(parts)}){arrow}: ..."
    if max(map(len, line.splitlines())) > WIDTH:
        line = f"{start}(\n    " + ",\n    ".join(map(_wrapped, parts)) + f",\n){arrow}: ..."
    return f"```python\n{line}\n```"


def _wrapped(part: str) -> str:
    """Return a parameter; a long default in brackets has a line for each value."""
    head, bracket, values = part.rstrip(")").partition(" = (")
    if not bracket or len(part) < WIDTH - 4:
        return part
    lines = "".join(f"        {value},\n" for value in values.split(", "))
    return f"{head} = (\n{lines}    )"
