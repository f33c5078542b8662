"""Trees of small files, their groups, and what there is in them."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from hashlens.cleanup.plan import make_plan as make_any_plan
from hashlens.model import Group, Member


def put(path, data, mode=0o644, mtime_ns=1_600_000_000_123_456_789):
    """Write a file with permissions and a time, and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


def digest(data):
    return hashlib.sha256(data).hexdigest()


def member(path, **other):
    """What an index says of a file as it is now."""
    status = os.stat(path)
    given = {
        "bytes": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "file_digest": digest(Path(path).read_bytes()),
    }
    return Member(str(path), str(path), "00", **(given | other))


def group(*paths, reason="most pixels"):
    """A group, the keeper first."""
    return Group(tuple(map(member, paths)), 0, reason)


def snapshot(root):
    """Return all that undo must bring back: names, kinds, bytes, permissions, times."""
    found = {}
    for path in sorted(Path(root).rglob("*")):
        status = path.lstat()
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))
        elif path.is_dir():
            found[name] = ("folder",)
        else:
            mode = stat.S_IMODE(status.st_mode)
            found[name] = ("file", path.read_bytes(), mode, status.st_mtime_ns)
    return found


def make_plan(groups, action, **how):
    """Plan for files that need not be pictures: nobody looks at them a second time."""
    return make_any_plan(groups, action, **{"verify": False, **how})
