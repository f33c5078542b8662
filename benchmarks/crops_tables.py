"""Write the tables of crop search: one table a question, one row a size."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np
from crops_collection import FURTHER, FURTHER_ROWS, Batch, Split
from crops_measuring import Measured
from crops_queries import ATTACKS, Answer
from results import table

from hashlens.crops.keypoints import KEYPOINTS
from hashlens.index.update import BATCH_ROWS
from hashlens.parallel.process import processors

MEGABYTE = 1e6


def report(split: Split, results: Sequence[Measured], seed: int) -> str:
    """Return all tables."""
    last = results[-1]
    parts = [
        f"Photos: {len(split.asked)} that are asked for and {len(split.sources)} of which "
        f"distractors are made are in the collection, {len(split.kept_out)} are kept out and asked "
        f"for in vain; a hash of the name with seed {seed} tells which. *Tiles* are real pictures: "
        "20-70 % of such a photo, half of them mirrored, turned by right angles or not, written as "
        "JPEG and indexed from the file. *Made* rows are no pictures: they have the real "
        f"keypoints (the {KEYPOINTS} strongest) of a window with up to 70 % of such a photo or its "
        "mirror image, moved by a random similarity, 4 % of the bits of codes flipped at random; "
        "the thumbnail of that window; and a random fingerprint. Load: that of the machine, which "
        "is shared. All queries are answered in one thread.",
        collections(results),
        building(results),
        "What is on disk, for an image. Targets: at most 3 kB of codes and places, and 2 kB of "
        "thumbnails.\n\n" + disk(results),
        "A fresh process: opens the index and asks `ImageIndex.search` for a crop, twice; no "
        "lookup tables are there, but files are in the page cache. Memory: resident, of which "
        "anonymous, and the most there was.\n\n" + starting(results),
        f"Queries: {len(last.of(ATTACKS[0]))} photos attacked in each way, and "
        f"{len(last.of('absent'))} photos that are not there, attacked in turn or as they are. "
        "*Accepted and correct*: the best match is the photo. *Wrong*: queries with a match that "
        "is another photo, or made of one.\n\n" + recall(results),
        "Milliseconds of a query, of the processor: median, and 95th percentile, with lookup "
        "tables; *waited*: by the clock, on a shared machine. Targets: 75 ms with extraction at "
        "1,000 images, 250 ms after extraction at 100,000. *With extraction*: reading, extraction "
        "and `crops.find.find_matches`; "
        "of absent pictures and of mirrored ones the mirror image is extracted as well.\n\n"
        + speed(results),
    ]
    return "\n\n".join(parts)


def in_short(last: Measured) -> str:
    """Return recall and speed at the largest size."""
    attacked, absent = last.of(*ATTACKS), last.of("absent")
    milliseconds = times(attacked + absent, "find").partition(",")[0]
    return (
        f"{last.size:,} images: {share(attacked)} of the attacked photos found, "
        f"{sum(map(is_wrong, attacked + absent))} false matches in {len(attacked + absent)} "
        f"queries, `find` {milliseconds} ms after extraction"
    )


def collections(results: Sequence[Measured]) -> str:
    """Return the table of what is in the collection."""
    head = (
        *("images", "photos", "tiles", "made", "keypoints an image", "segments"),
        *("codes in a bucket, mean", "largest", "load"),
    )
    return table(
        head,
        (
            (
                *(f"{r.size:,}", *(f"{r.kinds[kind]:,}" for kind in ("photos", "tiles", "made"))),
                *(f"{r.codes / r.size:.0f}", r.segments, f"{r.buckets[0]:.1f}"),
                *(f"{r.buckets[1]:,}", f"{r.load:.1f}"),
            )
            for r in results
        ),
    )


def building(results: Sequence[Measured]) -> str:
    """Return the table of writing."""
    text = (
        f"Real pictures were indexed by {processors()} processes, made rows written in batches of "
        f"{BATCH_ROWS:,}, each of which is committed, as by the indexer. *Further rows*: "
        f"{FURTHER} batches of {FURTHER_ROWS:,} on top of that, median and longest."
    )
    head = (
        *("images", "real, images/s", "made, s", "rows/s", "rows/s, last ten batches"),
        *("commit s, mean", "longest", f"{FURTHER_ROWS:,} further rows, s", "of which commit"),
    )
    return (
        text
        + "\n\n"
        + table(
            head,
            (
                (
                    f"{r.size:,}",
                    f"{r.extraction[0] / r.extraction[1]:.0f}",
                    *made_cells(r.batches),
                    both([batch.seconds for batch in r.further]),
                    both([batch.commit for batch in r.further]),
                )
                for r in results
            ),
        )
    )


def made_cells(batches: Sequence[Batch]) -> tuple[str, ...]:
    """Return the cells of made rows, empty if none were made."""
    if not batches:
        return ("",) * 5
    commits = [batch.commit for batch in batches]
    return (
        f"{sum(batch.seconds for batch in batches):.1f}",
        rate(batches),
        rate(batches[-10:]),
        f"{statistics.mean(commits):.3f}",
        f"{max(commits):.2f}",
    )


def rate(batches: Sequence[Batch]) -> str:
    """Return rows per second."""
    return f"{sum(b.rows for b in batches) / sum(b.seconds for b in batches):,.0f}"


def both(values: Sequence[float]) -> str:
    """Return median and maximum."""
    return f"{statistics.median(values):.2f}, {max(values):.2f}"


def disk(results: Sequence[Measured]) -> str:
    """Return the table of bytes on disk."""
    kinds = ("codes", "thumbnails", "other", "content")
    head = (
        "images",
        "codes and places, B",
        "thumbnails, B",
        "rest of the crop index, B",
        "content database, B",
    )
    return table(
        head,
        ((f"{r.size:,}", *(f"{r.bytes[kind] / r.size:,.0f}" for kind in kinds)) for r in results),
    )


def starting(results: Sequence[Measured]) -> str:
    """Return the table of fresh processes."""
    head = (
        *("images", "opened after s", "first answer after s", "second takes ms"),
        *("MB before opening", "MB after answers", "anonymous", "most"),
    )
    rows = []
    for r in results:
        before, after = r.cold["before"], r.cold["after"]
        memory = (before["VmRSS"], after["VmRSS"], after["RssAnon"], after["VmHWM"])
        rows.append(
            (
                *(f"{r.size:,}", f"{r.cold['opened']:.2f}", f"{r.cold['first']:.2f}"),
                f"{1000 * r.cold['again']:.0f}",
                *(f"{each / MEGABYTE:,.0f}" for each in memory),
            )
        )
    return table(head, rows)


def recall(results: Sequence[Measured]) -> str:
    """Return the table of what was found."""
    head = (
        *("images", *ATTACKS, "all attacks", "wrong", "absent, accepted"),
        *("pictures with votes, median", "verified, median", "most", "ways that agree"),
    )
    rows = []
    for r in results:
        attacked = r.of(*ATTACKS)
        absent = r.of("absent")
        rows.append(
            (
                f"{r.size:,}",
                *(share(r.of(attack)) for attack in ATTACKS),
                share(attacked),
                f"{sum(map(is_wrong, attacked))} of {len(attacked)}",
                f"{sum(map(is_wrong, absent))} of {len(absent)}",
                f"{statistics.median(answer.voted for answer in r.answers):,.0f}",
                f"{statistics.median(answer.verified for answer in r.answers):.0f}",
                max(answer.verified for answer in r.answers),
                f"{sum(map(agrees, r.answers))} of {len(r.answers)}",
            )
        )
    return table(head, rows)


def is_right(answer: Answer) -> bool:
    """Return whether the best match is the photo."""
    return answer.accepted[:1] == [answer.asked.path]


def is_wrong(answer: Answer) -> bool:
    """Return whether a match is another photo."""
    return bool(set(answer.accepted) - {answer.asked.path})


def agrees(answer: Answer) -> bool:
    """Return whether all ways gave the same best match, or none."""
    return len({tuple(paths[:1]) for paths in answer.paths.values()}) == 1


def share(answers: Sequence[Answer]) -> str:
    """Return the percentage of right answers."""
    return f"{100 * sum(map(is_right, answers)) / len(answers):.1f} %"


def speed(results: Sequence[Measured]) -> str:
    """Return the table of milliseconds."""
    head = (
        *("images", "queries", "extraction", "`find`, after extraction", "with extraction"),
        *("`ImageIndex.search`", "SQL `similar(…)`", "waited for `find`", "for `search`"),
    )
    groups = {name: (name,) for name in (*ATTACKS, "absent")} | {"all": (*ATTACKS, "absent")}
    return table(
        head,
        (
            (
                f"{r.size:,}",
                name,
                times(r.of(*names), "decode", "extract"),
                times(r.of(*names), "find"),
                times(r.of(*names), "decode", "extract", "mirrored", "find"),
                times(r.of(*names), "search"),
                times(r.of(*names), "sql"),
                times(r.of(*names), "find", waited=True),
                times(r.of(*names), "search", waited=True),
            )
            for r in results
            for name, names in groups.items()
        ),
    )


def times(answers: Sequence[Answer], *ways: str, waited: bool = False) -> str:
    """Return median and 95th percentile of the sum of some steps, milliseconds."""
    spent = [sum(seconds(answer, way, waited) for way in ways) for answer in answers]
    return f"{1000 * np.median(spent):.0f}, {1000 * np.percentile(spent, 95):.0f}"


def seconds(answer: Answer, way: str, waited: bool) -> float:
    """Return the seconds of a step. A mirror image is extracted if nothing else was found."""
    if way == "mirrored" and answer.accepted and not answer.mirrored:
        return 0.0
    return (answer.waited if waited else answer.seconds)[way]
