"""Measure the hashing of folders, beside the peers and the floor: the decoding of the JPEGs alone.

    python benchmarks/hashing.py FOLDER [--rounds N] [--only PART …]

FOLDER holds photos. Of them are made 1,000 small ones (each under several names) and 60 of 12
megapixels (mosaics, and enlargements with grain). Peers get virtual environments in .venv-peers.
Commands take turns; seconds are medians. A ratio above 1 says how much sooner hashlens is done.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line has it

import imagehash
import numpy as np
import psutil
from peers import FRAME, OURS_WARM, PEERS, Peer, python_of
from PIL import Image
from results import record

from hashlens import PerceptualHash
from hashlens.hashing.hasher import Hasher
from hashlens.images import jpeg_draft

HASHLENS = str(Path(sys.executable).with_name("hashlens"))
HOME = Path(__file__).parent.parent / ".venv-peers"
COMMAND = "python benchmarks/hashing.py FOLDER"
IMGDD = next(peer for peer in PEERS if peer.name == "imgdd")
# As everyone runs it: compiled modules are kept, output is buffered.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "OPENBLAS_NUM_THREADS")
}


def small(photos: list[Path], folder: Path, count: int) -> Path:
    """Copy the photos, each as often as it takes."""
    for number in range(count):
        target = folder / str(number // len(photos)) / photos[number % len(photos)].name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photos[number % len(photos)], target)
    return folder


def twelve_megapixels(photos: list[Path], folder: Path, count: int = 60) -> Path:
    """Make large JPEGs of the photos, with fixed seeds."""
    folder.mkdir()
    noise, pick = np.random.default_rng(0), random.Random(0)
    for number in range(count):
        large = Image.new("RGB", (4000, 3000))
        if number % 2:
            image = Image.open(pick.choice(photos)).convert("RGB")
            pixels = np.asarray(image.resize(large.size, Image.Resampling.BICUBIC)).astype(np.int16)
            pixels = pixels + noise.normal(0, 4, (3000, 4000, 1)).astype(np.int16)
            large = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        else:
            for left in range(0, 4000, 960):
                for top in range(0, 3000, 640):
                    tile = Image.open(pick.choice(photos)).convert("RGB")
                    large.paste(tile.resize((960, 640), Image.Resampling.BICUBIC), (left, top))
        large.save(folder / f"{number:02}.jpg", quality=90)
    return folder


def million(photos: list[Path], folder: Path) -> Path:
    """Make a million names of a few tiny JPEGs."""
    tiny = [folder.parent / f"tiny{number}.jpg" for number in range(20)]
    for path, photo in zip(tiny, photos, strict=False):
        Image.open(photo).convert("RGB").resize((64, 48)).save(path)
    for number in range(1_000_000):
        target = folder / f"{number // 1000:03}" / f"{number % 1000:03}.jpg"
        if number % 1000 == 0:
            target.parent.mkdir(parents=True)
        os.link(tiny[number % len(tiny)], target)
    return folder


def run(command: list[str | Path]) -> tuple[float, str]:
    """Run a command; return its seconds and its output."""
    began = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT)
    return time.perf_counter() - began, done.stdout


def programs(folder: Path, scratch: Path) -> tuple[dict[str, list[str | Path]], dict[str, str]]:
    """Return the command of each peer that hashes the folder, and why the others do not."""
    expected = sum(path.is_file() for path in folder.rglob("*"))
    commands: dict[str, list[str | Path]] = {}
    failures: dict[str, str] = {}
    for peer in PEERS:
        python, reason = python_of(peer, HOME)
        if python is not None:
            command = command_of(peer, python, folder, scratch)
            try:
                images = json.loads(run([*command, "1"])[1].splitlines()[-1])["images"]
                reason = "" if images == expected else f"hashed {images} of {expected}"
            except subprocess.CalledProcessError as error:
                reason = f"fails: {error.stderr.strip().splitlines()[-1]}"
            if not reason:
                commands[peer.name] = command
        if reason:
            failures[peer.name] = reason
    return commands, failures


def command_of(peer: Peer, python: Path, folder: Path, scratch: Path) -> list[str | Path]:
    """Return the command of a peer but for the number of passes."""
    script = scratch / f"run_{peer.name.split()[0]}.py"
    script.write_text(peer.program())
    return [python, script, folder]


def side_by_side(folder: Path, what: str, scratch: Path, rounds: int) -> None:
    """Measure whole processes, and passes within one process, of all peers and ours."""
    commands, failures = programs(folder, scratch)
    ours = scratch / "hashlens_warm.py"
    ours.write_text(FRAME.format(setup=OURS_WARM))
    whole: dict[str, list[float]] = {name: [] for name in ("hashlens", *commands)}
    warm: dict[str, list[float]] = {name: [] for name in ("hashlens", *commands)}
    for number in range(rounds):
        for name in whole:
            quick = name in ("hashlens", "imgdd")
            for _ in range(3 if quick else 1):  # short ones are noisier
                command = [HASHLENS, "hash", folder]
                command = command if name == "hashlens" else [*commands[name], "1"]
                whole[name].append(run(command)[0])
            if quick or not number:
                program = [sys.executable, ours, folder] if name == "hashlens" else commands[name]
                told = json.loads(run([*program, "4" if quick else "2"])[1].splitlines()[-1])
                warm[name] += told["seconds"][1:]
    count = sum(path.is_file() for path in folder.rglob("*"))
    best = [statistics.median(times["hashlens"]) for times in (whole, warm)]
    lines = [
        f"{what}; {rounds} rounds, all cores. `hashlens hash` and each peer print path and hash. "
        "*Warm*: once more in the same process (undouble does not decode the files again then).",
        "",
        "| | whole process, s | images/s | hashlens is sooner | warm, s | hashlens is sooner |",
        "|---|---|---|---|---|---|",
    ]
    for name in sorted(whole, key=lambda name: statistics.median(whole[name])):
        cold, hot = statistics.median(whole[name]), statistics.median(warm[name])
        lines.append(
            f"| {name} | {cold:.3f} | {count / cold:,.0f} | {cold / best[0]:.2f} x "
            f"| {hot:.3f} | {hot / best[1]:.2f} x |"
        )
    lines += [f"| {name} | {reason} | | | | |" for name, reason in failures.items()]
    record(f"Hashing: {what}", COMMAND, "\n".join(lines))


def indexing(folder: Path, scratch: Path, rounds: int) -> None:
    """Measure `hashlens index`, with the index written, beside imgdd that hashes only."""
    python, reason = python_of(IMGDD, HOME)
    assert python, reason
    index = scratch / "index"
    commands = {
        "imgdd, hashes only": [*command_of(IMGDD, python, folder, scratch), "1"],
        "`hashlens hash`": [HASHLENS, "hash", folder],
        "`hashlens index`": [HASHLENS, "index", folder, "--index", index],
        "`hashlens index`, nothing new": [HASHLENS, "index", folder, "--index", index],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        shutil.rmtree(index, ignore_errors=True)
        for name, command in commands.items():
            times[name].append(run(command)[0])
    base = statistics.median(times["imgdd, hashes only"])
    lines = [
        "10,000 small photos, whole processes, all cores.",
        "",
        "| | s | imgdd takes |",
        "|---|---|---|",
    ]
    for name, seconds in times.items():
        median = statistics.median(seconds)
        lines.append(f"| {name} | {median:.3f} | {base / median:.2f} x as long |")
    record("Hashing: 10,000 photos into an index", COMMAND, "\n".join(lines))


def scanning(photos: list[Path], scratch: Path) -> None:
    """Measure the second run over 100,000 files that have not changed."""
    folder = scratch / "many"
    originals = small(photos, scratch / "originals", len(photos))
    for number in range(100_000):
        source = originals / "0" / photos[number % len(photos)].name
        target = folder / f"{number // 500:03}" / f"{number:06}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(source, target)
    index = scratch / "many-index"
    command = [HASHLENS, "index", folder, "--index", index]
    first = run(command)[0]
    again = statistics.median(run(command)[0] for _ in range(5))
    start = statistics.median(run([HASHLENS, "info", "--index", index])[0] for _ in range(5))
    text = (
        f"The first `hashlens index` took {first:.1f} s, the second {again:.2f} s as a whole "
        f"process, of which about {start:.2f} s are the start (`hashlens info`)."
    )
    record("Hashing: 100,000 files that have not changed", COMMAND, text)


def one_core(folders: dict[str, Path], rounds: int) -> None:
    """Measure within this process, on one core, against the floor."""
    os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])
    import simplejpeg

    def floor(paths: list[str]) -> None:
        for path in paths:
            data = Path(path).read_bytes()
            simplejpeg.decode_jpeg(data, "GRAY", min_height=1, min_width=1, min_factor=8)

    def loop(paths: list[str]) -> None:
        for path in paths:
            str(imagehash.phash(Image.open(path)))

    def ours(grade: str, quick: bool) -> Callable[[list[str]], None]:
        hasher = Hasher((PerceptualHash(),), grade)

        def hashed(paths: list[str]) -> None:
            jpeg_draft._simplejpeg = simplejpeg if quick else None
            for start in range(0, len(paths), 256):
                batch = paths[start : start + 256]
                hasher.fingerprints([hasher.samples(hasher.decode(path)) for path in batch])

        return hashed

    ways = {
        "floor: simplejpeg, grey, an eighth, no hash": floor,
        "hashlens, fast, with simplejpeg": ours("fast", True),
        "hashlens, fast, Pillow alone": ours("fast", False),
        "hashlens, exact": ours("exact", False),
        "ImageHash loop": loop,
    }
    lines = ["`perceptual`, one core, one process, warm.", ""]
    for what, folder in folders.items():
        paths = sorted(str(path) for path in folder.rglob("*.jpg"))
        times = taken(ways, paths, rounds)
        lowest, naive = times[next(iter(ways))], times["ImageHash loop"]
        lines += [
            f"| {what} | ms an image | of the floor's speed | of ImageHash's speed |",
            "|---|---|---|---|",
            *(
                f"| {name} | {seconds / len(paths) * 1000:.3f} | {lowest / seconds:.0%} "
                f"| {naive / seconds:.2f} x |"
                for name, seconds in times.items()
            ),
            "",
        ]
    lines += algebra(sorted(str(path) for path in folders["1,000 small"].rglob("*.jpg")), rounds)
    record("Hashing: one core", COMMAND, "\n".join(lines))


def algebra(paths: list[str], rounds: int) -> Iterator[str]:
    """Measure several hashes from one decode, and crop-resistant hashes after it."""
    jpeg_draft.use_simplejpeg()
    grey = [
        PerceptualHash(name)
        for name in ("perceptual", "average", "difference", "difference-vertical")
    ] + [PerceptualHash("wavelet", image_scale=64)]

    def hashed(*hashes: PerceptualHash) -> Callable[[list[str]], None]:
        hasher = Hasher(hashes)

        def all_of(paths: list[str]) -> None:
            for start in range(0, len(paths), 256):
                batch = paths[start : start + 256]
                hasher.fingerprints([hasher.samples(hasher.decode(path)) for path in batch])

        return all_of

    ways = {
        "perceptual": hashed(grey[0]),
        "difference": hashed(grey[2]),
        "perceptual, average, difference, difference-vertical, wavelet": hashed(*grey),
        "color": hashed(PerceptualHash("color")),
        "perceptual, average, difference, wavelet, color": hashed(
            *grey[:3], grey[4], PerceptualHash("color")
        ),
    }
    # The hash that needs the same decode as the five.
    alike = dict(
        zip(ways, ("perceptual", "difference", "difference", "color", "color"), strict=True)
    )
    times = taken(ways, paths, rounds)
    yield "| hashes from one decode, fast, small | ms an image | of one from the same decode |"
    yield "|---|---|---|"
    for name, seconds in times.items():
        ratio = seconds / times[alike[name]]
        yield f"| {name} | {seconds / len(paths) * 1000:.3f} | {ratio:.2f} x ({alike[name]}) |"
    images = [Image.open(path).convert("RGB") for path in paths[:20]]
    crop_resistant = PerceptualHash("crop-resistant")

    def theirs(_: list[str]) -> list[str]:
        return [str(imagehash.crop_resistant_hash(image)) for image in images]

    def our_way(_: list[str]) -> list[str]:
        return [crop_resistant(image) for image in images]

    assert theirs([]) == our_way([])
    times = taken({"theirs": theirs, "ours": our_way}, [], 3)
    yield ""
    yield (
        f"crop-resistant after decoding, {len(images)} photos, equal strings: "
        f"ImageHash {times['theirs'] / len(images) * 1000:.0f} ms, "
        f"hashlens {times['ours'] / len(images) * 1000:.1f} ms: "
        f"{times['theirs'] / times['ours']:.1f} x."
    )


def taken(
    ways: dict[str, Callable[[list[str]], object]], paths: list[str], rounds: int
) -> dict[str, float]:
    """Return the median seconds of each way, which take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way(paths)
            if number:  # the first one is not counted
                seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(found) for name, found in seconds.items()}


def memory(folders: dict[str, Path], scratch: Path) -> None:
    """Measure the most memory that a command and its workers hold at once."""
    lines = [
        "Sum of the proportional set sizes (PSS) of all processes of a command, every 20 ms.",
        "",
        "| command | files | most MB |",
        "|---|---|---|",
    ]
    for what, folder in folders.items():
        index = scratch / f"memory-{len(lines)}"
        for name, command in {
            "`hashlens hash`": [HASHLENS, "hash", folder],
            "`hashlens index`": [HASHLENS, "index", folder, "--index", index],
            "`hashlens index`, nothing new": [HASHLENS, "index", folder, "--index", index],
        }.items():
            lines.append(f"| {name} | {what} | {most_memory(command) / 1e6:.0f} |")
    record("Hashing: memory", COMMAND, "\n".join(lines))


def most_memory(command: list[str | Path]) -> int:
    """Return the largest sum of memory, in bytes, that a command and its children held."""
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    most, done = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        group: set[psutil.Process] = {process}
        while not done.is_set():
            group |= set(process.children(recursive=True)) if process.is_running() else set()
            total = 0
            for member in list(group):
                try:
                    total += member.memory_full_info().pss
                except psutil.Error:
                    group.discard(member)
            most = max(most, total)
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    process.wait()
    done.set()
    watcher.join()
    return most


def main() -> None:
    """Run all parts, or some."""
    parts = ("small", "large", "index", "scan", "memory", "core")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    asked = parser.parse_args()
    photos = sorted(path for path in asked.folder.rglob("*.jpg"))
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        thousand = small(photos, scratch / "small", 1_000)
        large = twelve_megapixels(photos, scratch / "large")
        if "small" in asked.only:
            side_by_side(thousand, "1,000 small photos", scratch, asked.rounds)
        if "large" in asked.only:
            side_by_side(large, "60 photos of 12 megapixels", scratch, max(1, asked.rounds // 2))
        if {"index", "memory"} & set(asked.only):
            ten_thousand = small(photos, scratch / "ten-thousand", 10_000)
        if "index" in asked.only:
            indexing(ten_thousand, scratch, asked.rounds)
        if "memory" in asked.only:
            many = million(photos, scratch / "million")
            folders = {"10,000 small": ten_thousand, "60 of 12 megapixels": large}
            memory({**folders, "1,000,000 of 64 x 48 pixels": many}, scratch)
        if "scan" in asked.only:
            scanning(photos, scratch)
        if "core" in asked.only:
            one_core({"1,000 small": thousand, "60 of 12 megapixels": large}, asked.rounds)


if __name__ == "__main__":
    main()
