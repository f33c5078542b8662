"""Keep benchmarks/RESULTS.md: one section a benchmark, replaced when it is run again."""

from __future__ import annotations

import os
import platform
import re
from datetime import date
from pathlib import Path

PATH = Path(__file__).with_name("RESULTS.md")
HEAD = """# Measurements

Written by the scripts in this folder. Ratios were taken in one run, the commands in turn; absolute
times are those of a shared machine. Medians unless said otherwise.
"""


def machine() -> str:
    """Describe the machine in a line."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"model name\s*: (.*)", info.read_text())
        cpu = found[1] if found else cpu
    return f"{os.cpu_count()} x {cpu}, Python {platform.python_version()}, {platform.system()}"


def printed(title: str, command: str, text: str) -> None:
    """Print a section, and write nothing."""
    print(f"## {title}\n\n`{command}`\n\n{text}\n", flush=True)


def record(title: str, command: str, text: str) -> None:
    """Print a section, and write it in the place of its last version."""
    section = f"## {title}\n\n`{command}` · {date.today()} · {machine()}\n\n{text.strip()}\n"
    print(section)
    old = PATH.read_text() if PATH.exists() else ""
    sections = {part.partition("\n")[0]: part for part in old.split("\n## ")[1:]}
    sections[title] = section.removeprefix("## ")
    parts = [part.strip() for _, part in sorted(sections.items())]
    PATH.write_text(HEAD + "".join(f"\n## {part}\n" for part in parts))
