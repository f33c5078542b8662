"""Keep the results: a page for each topic, and a summary of their ratios.

    python benchmarks/results.py

results/TOPIC.md has a section for each measurement. A script replaces its sections when it runs
again. The line of a section that begins with `>` states its ratios: RESULTS.md lists these lines.
The command above writes RESULTS.md from the pages, as each script does at its end.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

SUMMARY = Path(__file__).with_name("RESULTS.md")
PAGES = Path(__file__).with_name("results")
TOPICS = {  # in the order of the summary
    "startup": "Start-up",
    "hashing": "Hashing",
    "grades": "Grades",
    "search": "Search",
    "joins": "Joins",
    "groups": "Groups",
    "turned": "Turned copies",
    "recipe": "Recipe",
    "keypoints": "Keypoints",
    "crops": "Crops",
    "copies": "Copies",
    "looks": "Second look",
    "plans": "Default plans",
    "map": "Map",
    "report": "Report",
    "family": "Family",
    "versions": "Versions",
}
HEAD = """# Measurements

The scripts in this folder write these pages. The ways that a ratio compares were measured in one
run, in turns; absolute times are of a shared machine. Numbers are medians unless stated otherwise.
A ratio (x) says how many times as long another way takes as hashlens, unless stated otherwise.
Each section names the command that measured it.
"""


@dataclass(frozen=True)
class Page:
    """The page on which a script publishes.

    topic: key of `TOPICS`, name of the file
    command: what measures the page again
    dry: print only
    """

    topic: str
    command: str
    dry: bool = False

    def publish(self, title: str, text: str, ratios: str = "") -> None:
        """Print a section; unless dry, write it in the place of its last version."""
        head = f"`{self.command}` · {date.today()} · {machine()}"
        short = [f"> {ratios}"] if ratios else []
        section = "\n\n".join([f"## {title}", head, *short, text.strip()])
        print(section, end="\n\n", flush=True)
        if not self.dry:
            keep(self.topic, title, section)
            summarize()


def keep(topic: str, title: str, section: str) -> None:
    """Write a section on the page of its topic; sections are sorted by title."""
    path = PAGES / f"{topic}.md"
    sections = dict(sections_of(path)) | {title: section}
    parts = [f"# {TOPICS[topic]}", f"[All measurements](../{SUMMARY.name})"]
    parts += [text for _, text in sorted(sections.items())]
    PAGES.mkdir(exist_ok=True)
    path.write_text("\n\n".join(parts) + "\n")


def sections_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield title and text of each section of a page."""
    text = path.read_text() if path.exists() else ""
    for part in text.split("\n## ")[1:]:
        yield part.partition("\n")[0], f"## {part.strip()}"


def summarize() -> None:
    """Write the summary: links to all sections, with their ratios."""
    lines = [HEAD]
    for topic, name in TOPICS.items():
        path = PAGES / f"{topic}.md"
        if path.exists():
            link = f"{PAGES.name}/{path.name}"
            lines.append(f"## [{name}]({link})\n")
            for title, text in sections_of(path):
                ratios = re.search(r"^> (.*)$", text, re.MULTILINE)
                lines.append(
                    f"- [{title}]({link}#{anchor(title)}){': ' + ratios[1] if ratios else ''}"
                )
            lines.append("")
    SUMMARY.write_text("\n".join(lines).rstrip() + "\n")


def anchor(title: str) -> str:
    """Return the anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def machine() -> str:
    """Describe the machine in one line."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"model name\s*: (.*)", info.read_text())
        cpu = found[1] if found else cpu
    return f"{os.cpu_count()} x {cpu}, Python {platform.python_version()}, {platform.system()}"


def load() -> str:
    """Return the load of the machine: running processes, mean of the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines)


def ratio(theirs: float, ours: float) -> str:
    """Return how many times as long `theirs` is as `ours`."""
    times = theirs / ours
    return f"{times:,.0f} x" if times >= 100 else f"{times:.2f} x"


def milliseconds(seconds: float | None, mark: str = "") -> str:
    """Return milliseconds in three figures, or a dash."""
    if seconds is None:
        return "-"
    value = seconds * 1000
    return f"{mark}{value:,.0f}" if value >= 100 else f"{mark}{value:.3g}"


def verdict(holds: bool) -> str:
    """Return whether a target was met, in words."""
    return "met" if holds else "**missed**"


if __name__ == "__main__":
    summarize()
