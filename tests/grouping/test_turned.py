"""Turned and mirrored copies in groups, plans, reports and on the command line."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from drawing import draw
from hashlens import ImageIndex, ParameterError, PlanError, make_plan
from hashlens.cleanup.plan import Plan
from hashlens.grouping.groups import Groups
from hashlens.grouping.scope import Terms
from hashlens.grouping.turned import turned_of
from hashlens.images.upright import TURNS
from hashlens.model import TURN_WORDS
from hashlens.neighbors.calibration import calibrate

BOUND = 12
UNDONE = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}  # the turn that undoes each turn


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two pictures, each with all its turned copies, smaller ones; and one of each alone."""
    folder = tmp_path_factory.mktemp("turned")
    for number in range(2):
        picture = draw(number, (640, 440))
        picture.save(folder / f"{number}.png")
        for place, turn in TURNS.items():
            copy = picture.transpose(turn)
            copy.resize((copy.width // 2, copy.height // 2)).save(folder / f"{number}-{place}.png")
    draw(7, (640, 440)).save(folder / "other.png")
    return folder


@pytest.fixture(scope="module", params=["perceptual", "difference", "average"])
def made(request, photos, tmp_path_factory):
    path = tmp_path_factory.mktemp("index") / "index"
    with ImageIndex.open(path, algorithm=request.param) as index:
        index.index([photos])
        yield index


def names(group):
    return {member.path.rpartition("/")[2] for member in group.members}


def test_all_turned_copies_are_in_the_group_of_their_picture(made):
    upright = {frozenset(names(group)) for group in made.groups(BOUND)}
    found = made.groups(BOUND, turned=True)
    wanted = [{f"{number}.png", *(f"{number}-{turn}.png" for turn in TURNS)} for number in (0, 1)]
    assert [names(group) for group in found] == wanted
    assert not upright & {frozenset(each) for each in wanted}
    for group in found:
        assert group.keeper.turn == ""
        assert names(group) - {group.keeper.path.rpartition("/")[2]} == {
            member.path.rpartition("/")[2] for member in group.duplicates
        }
        assert group.keeper.path[-5] in "01"
        for member in group.duplicates:
            turn = int(member.path[-5])
            assert member.turn == TURN_WORDS[UNDONE[turn]]


def test_views_agree_on_turned_distances(made):
    found = made.groups(BOUND, turned=True)
    matrix = found.matrix()
    assert (matrix.to_numpy() == matrix.to_numpy().T).all()
    pairs = {(pair.first, pair.second): pair.distance for pair in found.pairs()}
    order = sorted(matrix.index)
    wanted = {
        (one, other): matrix.loc[one, other]
        for number, one in enumerate(order)
        for other in order[number + 1 :]
        if matrix.loc[one, other] <= BOUND
    }
    assert pairs == wanted
    for group in found:
        for member in group.members:
            assert member.distance == matrix.loc[group.keeper.path, member.path]
        paths = [member.path for member in group.members]
        assert group.diameter == matrix.loc[paths, paths].to_numpy().max() <= BOUND
    assert all(pair.distance <= BOUND + 2 for pair in found.borderline())
    near = found.rethreshold(0)
    assert near.terms.turned
    assert all(group.diameter == 0 for group in near)


def test_groups_do_not_depend_on_the_order_of_the_images(made):
    found = made.groups(6, turned=True)
    collection = found.collection
    order = list(range(len(collection)))
    order = order[1::2] + order[::2][::-1]
    rows = np.array(order)
    turned = collection.turned
    shuffled = replace(
        collection,
        ids=[collection.ids[row] for row in order],
        paths=[collection.paths[row] for row in order],
        codes=collection.codes[rows],
        information=collection.information[rows],
        numbers={name: values[rows] for name, values in collection.numbers.items()},
        formats=[collection.formats[row] for row in order],
        file_digests=collection.file_digests[rows],
        pixel_digests=collection.pixel_digests[rows],
        damaged=[collection.damaged[row] for row in order],
        frame_hashes=[collection.frame_hashes[row] for row in order],
        turned=replace(turned, codes=turned.codes[rows], is_whole=turned.is_whole[rows]),
    )
    again = Groups(found.terms, shuffled)

    def seen(groups):
        return {group.keeper.path: (group.reason, names(group)) for group in groups}

    assert seen(again) == seen(found)


class TestMajority:
    """Which picture is kept where some are turned: the others tell which way is up."""

    @pytest.fixture
    def folder(self, tmp_path):
        path = tmp_path / "photos"
        path.mkdir()
        return path

    def kept(self, folder, **options):
        with ImageIndex.open(folder.parent / "index") as index:
            index.index([folder])
            [group] = index.groups(8, turned=True, **options)
        assert len(group.members) == len(list(folder.iterdir()))
        return group.keeper.path.rpartition("/")[2], group.reason

    def add(self, folder, mirrored=None, picture=None):
        """Save two JPEGs of a picture, and a PNG of it that is mirrored, or given."""
        picture = picture or draw(3, (640, 440))
        for number in (1, 2):
            picture.save(folder / f"b{number}.jpg", quality=85 + number)
        mirrored = mirrored or picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        mirrored.save(folder / "a.png")

    def test_a_picture_that_is_turned_as_most_are_is_kept(self, folder):
        self.add(folder)
        reason = "turned as most of its group (2 pictures over 1), then most bytes"
        name, found = self.kept(folder)
        assert name == "b2.jpg"
        assert found.startswith(reason)
        assert self.kept(folder, keep=["lossless"])[0] == "a.png"

    @pytest.mark.parametrize("turn", TURNS.values())
    def test_so_it_is_for_each_turn(self, folder, turn):
        self.add(folder, draw(3, (640, 440)).transpose(turn))
        assert self.kept(folder)[0] == "b2.jpg"

    def test_copies_of_one_file_count_once(self, folder):
        self.add(folder)
        for number in range(3):
            (folder / f"a{number}.png").write_bytes((folder / "a.png").read_bytes())
        assert self.kept(folder)[1].startswith("turned as most of its group (2 pictures over 1)")

    def test_smaller_copies_count_although_none_of_them_is_kept(self, folder):
        self.add(folder)
        (folder / "b1.jpg").unlink()
        draw(3, (640, 440)).resize((320, 220)).save(folder / "small.jpg")
        name, reason = self.kept(folder)
        assert name == "b2.jpg"
        assert reason == (
            "no smaller copy (640x440 over 320x220), "
            "then turned as most of its group (2 pictures over 1)"
        )

    def test_of_as_many_pictures_either_way_the_other_rules_choose(self, folder):
        self.add(folder)
        (folder / "b1.jpg").unlink()
        assert self.kept(folder) == ("a.png", "lossless format (PNG over JPEG)")

    def test_exif_of_a_camera_comes_before(self, folder):
        picture, exif = draw(3, (640, 440)), Image.Exif()
        exif[0x10F], exif[0x110] = "Canon", "EOS"
        self.add(folder)
        mirrored = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        mirrored.save(folder / "a.png", exif=exif)
        assert self.kept(folder)[0] == "a.png"

    def test_a_picture_that_is_its_own_mirror_image_does_not_count_as_turned(self, folder):
        half = np.asarray(draw(3, (320, 440)))
        picture = Image.fromarray(np.concatenate([half, half[:, ::-1]], axis=1))
        self.add(folder, picture=picture)
        assert "turned" not in self.kept(folder)[1]


def test_plans_say_how_files_are_turned(made, tmp_path):
    plan = made.groups(BOUND, turned=True).plan("move", to=str(tmp_path / "to"))
    moved = [step for step in plan.steps if step.action == "move"]
    assert len(moved) == 14
    for step in moved:
        assert step.turn == TURN_WORDS[UNDONE[int(step.path[-5])]]
        assert step.reason == f"duplicate of {step.keeper}, {step.turn}"
    for name in ("plan.jsonl", "plan.csv"):
        plan.save(tmp_path / name)
        assert Plan.read(tmp_path / name) == plan
        assert Plan.read(tmp_path / name).digest == plan.digest


def test_the_look_at_a_list_of_groups_turns_copies_to_their_keepers(made, tmp_path):
    found = made.groups(BOUND, turned=True)
    plans = [make_plan(groups, "quarantine", to=str(tmp_path)) for groups in (found, found[:])]
    assert plans[0].steps == plans[1].steps
    assert not plans[0].doubts
    assert not plans[1].doubts


def test_plans_without_the_turn_are_read(made, tmp_path):
    whole = made.groups(BOUND, turned=True).plan("move", to=str(tmp_path / "to"))
    plan = replace(whole, steps=tuple(replace(step, turn="") for step in whole.steps))
    assert plan.digest != whole.digest
    lines = [
        {name: value for name, value in record.items() if name != "turn"}
        for record in plan.records()
    ]
    old = tmp_path / "old.jsonl"
    old.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert Plan.read(old) == plan
    assert Plan.read(old).digest == plan.digest
    old.write_text("".join(json.dumps({**line, "turns": ""}) + "\n" for line in lines))
    with pytest.raises(PlanError, match="not a field of a step: 'turns'"):
        Plan.read(old)


def test_reports_show_turns(made, tmp_path):
    found = made.groups(BOUND, turned=True)
    found.save_html(tmp_path / "sheet.html", workers=1)
    text = (tmp_path / "sheet.html").read_text()
    assert all(f'"{words}"]' in text for words in TURN_WORDS.values() if words)
    assert {record["turn"] for record in found.records()} == set(TURN_WORDS.values())


def test_decisions_keep_turned_copies_apart(photos, tmp_path):
    with ImageIndex.open(tmp_path / "index") as index:
        index.index([photos])
        index.decide(photos / "0.png", photos / "0-2.png", "not-duplicate")
        found = index.groups(8, turned=True)
        assert not any({"0.png", "0-2.png"} <= names(group) for group in found)
        assert any({"0.png", "0-3.png"} <= names(group) for group in found)


def test_only_pairs_that_count_make_turned_groups(made, photos):
    assert not len(made.groups(BOUND, turned=True, not_same_folder=True))
    empty = photos / "none"
    empty.mkdir(exist_ok=True)
    assert not len(made.groups(BOUND, turned=True, between=(str(photos), str(empty))))


def test_files_of_several_frames_are_compared_as_they_are(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    frames = [draw(number, (320, 220)) for number in range(3)]

    def save(name, pictures):
        pictures[0].save(folder / name, save_all=True, append_images=pictures[1:])

    save("a.tiff", frames)
    save("b.tiff", [frame.resize((160, 110)) for frame in frames])
    save("mirrored.tiff", [frame.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for frame in frames])
    with ImageIndex.open(tmp_path / "index") as index:
        index.index([folder])
        found = index.groups(8, turned=True)
        assert [names(group) for group in found] == [{"a.tiff", "b.tiff"}]
        assert [member.turn for member in found[0].members] == ["", ""]
        assert {(pair.first[-6:], pair.second[-6:]) for pair in found.pairs()} == {
            ("a.tiff", "b.tiff")
        }


def test_terms_that_have_no_turns_are_refused(made, tmp_path):
    with pytest.raises(ParameterError, match="by the metric hamming, not by levenshtein"):
        made.groups(BOUND, turned=True, metric="levenshtein")
    with pytest.raises(ParameterError, match="leave out turned, or only=exact"):
        made.groups(BOUND, turned=True, only="exact")
    with pytest.raises(ParameterError, match="turned must be True or False, not 1"):
        Terms(8, turned=1)
    with ImageIndex.open(tmp_path / "color", algorithm="color") as index:
        index.index([])
        with pytest.raises(ParameterError, match="by color fingerprints"):
            index.groups(3, turned=True)


def test_rows_without_a_turn_hash_are_named(made):
    if not made.settings.hash.turn_hash:
        return
    collection = made.groups(BOUND).collection
    with pytest.raises(ParameterError, match=f"which {len(collection)} of"):
        turned_of(
            made.settings.hash,
            collection.codes,
            [""] * len(collection),
            collection.numbers["frames"],
        )


def test_the_bound_of_turned_groups_allows_for_eight_orientations():
    codes = np.random.default_rng(1).integers(0, 2**64, 300, dtype=np.uint64)
    found = calibrate(codes, 64)
    assert found.group_distance(8) < found.group_distance()
    assert found.group_distance(8) == max(
        number for number in range(65) if 8 * found.false_pairs(number) <= 0.1
    )
