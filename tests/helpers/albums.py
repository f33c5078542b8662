"""Any small collection: files, links, partners, any names; its groups, and what befalls it.

Files whose contents begin with the same letter are alike; contents that are equal are equal files.
"""

from __future__ import annotations

import io
import os
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from PIL.PngImagePlugin import PngInfo

from drawing import draw
from hashlens.model import Group, Member
from trees import digest, member, put

FOLDERS = ("", "a", "b", "a/c d", "ü")
NAMES = (
    *("x.jpg", "x.png", "X.JPG", "y.jpg", "x-2.jpg", "-x.jpg", "x", ".jpg", "a b.jpg"),
    *("n\nl\r.jpg", "\u00e9.jpg", "e\u0301.jpg", "y" * 251 + ".jpg", "ü" * 125 + ".jpeg"),
)
CONTENTS = (b"A", b"A", b"A", b"A again", b"B", b"B", b"B again", b"")
PARTNERS = (".xmp", ".AAE", ".mov", ".nef", "+.xmp", "+.json")  # +: after the whole name
KINDS = ("file", "file", "file", "file", "hard link", "symbolic link")
TROUBLES = ("change", "swap bytes", "remove", "link", "folder", "touch", "exchange", "occupy")


def entries(contents: Sequence[bytes]) -> st.SearchStrategy[list[Any]]:
    """Draw files of some contents, and links to them."""
    entry = st.tuples(
        st.sampled_from(FOLDERS),
        st.sampled_from(NAMES),
        st.sampled_from(KINDS),
        st.sampled_from(contents),
        st.sampled_from([0o644, 0o600, 0o444]),
        st.integers(0, 2 * 10**18),
        st.lists(st.sampled_from(PARTNERS), max_size=2, unique=True),
        st.integers(0, 20),  # which file a link leads to
    )
    return st.lists(entry, min_size=3, max_size=9, unique_by=lambda item: item[:2])


def pictures() -> list[bytes]:
    """Draw two pictures, each with an equal one of other metadata, a re-coded and a smaller one."""
    found = []
    for seed in range(2):
        picture = draw(seed, (48, 32))
        note = PngInfo()
        note.add_text("note", str(seed))
        forms = [
            (picture, {"format": "PNG"}),
            (picture, {"format": "PNG", "pnginfo": note}),
            (picture, {"format": "JPEG", "quality": 80}),
            (picture.resize((36, 24)), {"format": "PNG"}),
        ]
        for form, how in forms:
            data = io.BytesIO()
            form.save(data, **how)
            found.append(data.getvalue())
    return found


@dataclass
class Album:
    """A collection on disk.

    root: its folder.
    linkless: whether there are no hard links; copies take their place.
    paths: what can be a member of a group.
    partners: partners of pictures, with the pictures beside which they lie.
    """

    root: Path
    linkless: bool = False
    paths: list[Path] = field(default_factory=list)
    partners: dict[Path, list[Path]] = field(default_factory=dict)

    def build(self, made, *, alias: bool) -> None:
        """Make files, links and partners; with `alias`, a folder is also reached by a link."""
        (self.root / "a").mkdir(parents=True)
        for entry in made:
            self._make(*entry)
        for folder, name, *_, endings, _ in made:
            self._make_partners(self.root / folder / name, endings)
        if alias:
            (self.root / "alias").symlink_to(self.root / "a")
            self.paths += [self.root / "alias" / path.name for path in self._in("a")]

    def _in(self, folder: str) -> list[Path]:
        return [path for path in self.paths if path.parent == self.root / folder]

    def _make(self, folder, name, kind, content, mode, time_ns, endings, number) -> None:
        path = self.root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "file" or not self.paths:
            put(path, content, mode, time_ns)
        elif kind == "hard link":
            other = self.paths[number % len(self.paths)]
            copy = shutil.copy2 if self.linkless else os.link
            copy(other, path, follow_symlinks=False)
        else:
            path.symlink_to(self.paths[number % len(self.paths)])
        self.paths.append(path)

    def _make_partners(self, picture: Path, endings) -> None:
        for ending in endings:
            name = f"{picture.name}{ending[1:]}" if ending[0] == "+" else f"{picture.stem}{ending}"
            path = picture.with_name(name)
            with suppress(OSError):  # the name is too long
                if not os.path.lexists(path):
                    put(path, os.fsencode(path))

    def seconds(self, other: Path) -> dict[Path, Path]:
        """Return the paths in the folder b, by a second name of that folder."""
        return {other / path.name: path for path in self._in("b")}

    def groups(self, rng, seconds) -> list[Group]:
        """Group what is alike, in any order; `seconds` are second names of some paths."""
        members = [member(path) for path in self.paths]
        for second, path in seconds.items():
            members.append(replace(member(path), id=str(second), path=str(second)))
        rng.shuffle(members)
        found: dict[bytes, list[Member]] = {}
        for item in members:
            letter = Path(seconds.get(Path(item.path), item.path)).read_bytes()[:1]
            found.setdefault(letter, []).append(item)
        return [Group(tuple(alike), 0) for _, alike in sorted(found.items()) if len(alike) > 1]

    def befall(self, trouble: str, path: Path, other: Path, target: str) -> None:
        """Let something happen to a file between plan and apply."""
        with suppress(OSError):
            status = path.lstat()
            if trouble == "change":
                put(path, b"changed by hand, " + os.fsencode(path.name))
            elif trouble == "swap bytes":  # size and time say nothing
                put(path, path.read_bytes()[::-1], mtime_ns=status.st_mtime_ns)
            elif trouble == "remove":
                path.unlink()
            elif trouble == "link":
                os.rename(path, path.with_name("aside"))
                path.symlink_to(path.with_name("aside"))
            elif trouble == "folder":
                path.unlink()
                path.mkdir()
            elif trouble == "touch":
                os.utime(path, ns=(0, 0))
            elif trouble == "exchange":
                aside = path.with_name("aside")
                os.rename(path, aside), os.rename(other, path), os.rename(aside, other)
            elif target:
                put(Path(target), b"was there before")


def tree(root: Path) -> dict[str, tuple[Any, ...]]:
    """Return all below a folder: names, kinds, bytes, permissions, times, hard links."""
    found: dict[str, tuple[Any, ...]] = {}
    names: dict[tuple[int, int], list[str]] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        name = str(path.relative_to(root))
        if stat.S_ISLNK(status.st_mode):
            found[name] = ("link", os.readlink(path))
        elif stat.S_ISDIR(status.st_mode):
            found[name] = ("folder",)
        else:
            same = names.setdefault((status.st_dev, status.st_ino), [])
            same.append(name)
            mode = stat.S_IMODE(status.st_mode)
            found[name] = ("file", path.read_bytes(), mode, status.st_mtime_ns, same)
    return found


def contents(found) -> set[bytes]:
    """Return the distinct contents of the files of a tree."""
    return {item[1] for item in found.values() if item[0] == "file"}


def digests(found) -> set[str]:
    return set(map(digest, contents(found)))
