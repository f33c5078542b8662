"""Time the commands as whole processes, start included, against `import txtai`.

    python benchmarks/startup.py [FOLDER] [RUNS]

FOLDER holds photos (default: those that scikit-image ships, with copies).
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results import record

PYTHON = sys.executable
HASHLENS = str(Path(PYTHON).with_name("hashlens"))


def photos(given: str | None, home: Path) -> Path:
    """Return the folder of photos, made if none is given."""
    if given:
        return Path(given)
    sys.path.insert(0, str(Path(__file__).parent.parent / "notebooks"))
    import photos as shipped

    shipped.write(home / "photos")
    return home / "photos"


def timed(command: list[str]) -> float:
    """Run a command; return its seconds."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Run the benchmark."""
    given = sys.argv[1] if len(sys.argv) > 1 else None
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 9
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        folder = photos(given, home)
        index = str(home / "index")
        subprocess.run([HASHLENS, "index", str(folder), "--index", index], check=True)
        query = str(sorted(path for path in folder.rglob("*") if path.is_file())[0])
        commands = {
            "`python -c 'import txtai'`": [PYTHON, "-c", "import txtai"],
            "`hashlens search IMAGE`": [HASHLENS, "search", query, "--index", index],
            "`hashlens search HASH`": [HASHLENS, "search", "f" * 16, "--index", index],
            "`hashlens sql QUERY`": [HASHLENS, "sql", "select id from txtai", "--index", index],
            "`hashlens index FOLDER`, nothing new": [
                *(HASHLENS, "index", str(folder), "--index", index)
            ],
            "`hashlens --help`": [HASHLENS, "--help"],
        }
        for command in commands.values():
            timed(command)  # not counted: files come from the disk
        times: dict[str, list[float]] = {what: [] for what in commands}
        for _ in range(runs):
            for what, command in commands.items():
                times[what].append(timed(command))
    count = sum(1 for path in folder.rglob("*") if path.is_file()) if given else 42
    base, *_ = (statistics.median(seconds) for seconds in times.values())
    lines = [
        f"An index of {count} photos, {runs} runs of each in turn, process start included.",
        "",
        "| command | median s | min | max | import txtai takes |",
        "|---|---|---|---|---|",
    ]
    for what, seconds in times.items():
        median = statistics.median(seconds)
        lines.append(
            f"| {what} | {median:.3f} | {min(seconds):.3f} | {max(seconds):.3f} "
            f"| {base / median:.1f} x as long |"
        )
    record("Start-up", "python benchmarks/startup.py FOLDER", "\n".join(lines))


if __name__ == "__main__":
    main()
