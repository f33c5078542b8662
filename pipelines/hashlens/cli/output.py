"""Print records as a table, JSON or CSV on standard output."""

from __future__ import annotations

import base64
import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any

FORMATS = ("table", "json", "csv")


def show(records: Iterable[Mapping[str, Any]], style: str, columns: Sequence[str] = ()) -> None:
    """Print records in one of FORMATS; `columns`: the columns and their order (default: all)."""
    rows = list(records)
    names = list(columns) or list(dict.fromkeys(name for row in rows for name in row))
    if style == "json":
        print_json([{name: _json(row.get(name)) for name in names} for row in rows])
    elif style == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_plain(row.get(name)) for name in names] for row in rows)
    else:
        from tabulate import tabulate

        cells = [[_cell(row.get(name)) for name in names] for row in rows]
        # A fingerprint such as 00e1… is not a number.
        print(tabulate(cells, names, disable_numparse=True) if rows else "no rows")


def stream(
    records: Iterable[Mapping[str, Any]], style: str, columns: Sequence[str], last: str = "path"
) -> None:
    """Print each record on a line as soon as it is there; a table shows `columns`, then `last`.

    In CSV and JSON, the record of a skipped file has the reason in `skipped`.
    """
    write = sys.stdout.write
    if style == "json":
        _write_list(records, "")
        write("\n")
    elif style == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        names = (last, *columns, "skipped")
        writer.writerow(names)
        writer.writerows([record.get(name, "") for name in names] for record in records)
    else:
        for record in records:
            if "skipped" not in record:
                line = "  ".join(record[name] for name in (*columns, last))
                write(line.replace("\n", "\\n") + "\n")  # a name may hold a line break


def print_lists(facts: Mapping[str, Any], **lists: Iterable[Mapping[str, Any]]) -> None:
    """Print facts and lists as one JSON object, each record of a list on a line of its own."""
    write = sys.stdout.write
    before = "{"
    for name, value in facts.items():
        write(f"{before}\n  {json.dumps(name)}: {json.dumps(value)}")
        before = ","
    for name, records in lists.items():
        write(f"{before}\n  {json.dumps(name)}: ")
        _write_list(records, "  ")
        before = ","
    write("\n}\n")


def print_json(value: Any) -> None:
    """Print a value as JSON in pieces: the whole text of a million records takes gigabytes."""
    sys.stdout.writelines(json.JSONEncoder(indent=2, default=str).iterencode(value))
    print()


def show_one(record: Mapping[str, Any], style: str) -> None:
    """Print one record: a line for each field, a JSON object, or CSV."""
    if style == "json":
        print_json({name: _json(value) for name, value in record.items()})
    elif style == "csv":
        show([record], style)
    else:
        width = max(map(len, record), default=0)
        for name, value in record.items():
            print(f"{name:{width}}  {_cell(value)}")


def _write_list(records: Iterable[Mapping[str, Any]], indent: str) -> None:
    """Write records as a JSON list, each on its own line, as soon as it is there."""
    separator = "["
    for record in records:
        sys.stdout.write(f"{separator}\n{indent}  {json.dumps(record)}")
        separator = ","
    sys.stdout.write("[]" if separator == "[" else f"\n{indent}]")


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e6 else f"{value:.0f}"
    return _plain(value)


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if hasattr(value, "save"):
        return f"{value.format} {value.width}x{value.height}"
    return str(value)


def _json(value: Any) -> Any:
    if hasattr(value, "save"):
        output = BytesIO()
        value.save(output, value.format)
        data = base64.b64encode(output.getvalue()).decode()
        return f"data:image/{str(value.format).lower()};base64,{data}"
    return value
