from __future__ import annotations

import json
import pickle
from dataclasses import replace
from math import inf

import imagehash
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageEnhance

from hashlens.cli.measure import evaluate as command
from hashlens.errors import ParameterError
from hashlens.evaluation import plot as plots
from hashlens.evaluation.attacks import ATTACKS
from hashlens.evaluation.card import Card
from hashlens.evaluation.drawings import BACKGROUNDS, scene, stream
from hashlens.evaluation.entrant import Entrant, Near, nearest
from hashlens.evaluation.query import ABSENT, DRAWN
from hashlens.evaluation.rivals import RIVALS, Sample
from hashlens.evaluation.run import evaluate
from hashlens.evaluation.scoring import LEFT_OUT, threshold
from hashlens.evaluation.trial import iou
from hashlens.evaluation.values import OURS, Rate

SIZE = (240, 160)
FEW = ("average-8-levenshtein", "perceptual-16", "crop-resistant", "opencv-phash")
CHOSEN = ("ident", "jpeg30", "crop50", "fliph")


def photo(name: str) -> Image.Image:
    return scene(stream(0, name), SIZE)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for number in range(10):
        photo(f"photo {number}").save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def card(photos):
    """The card of ten drawn pictures, with a few rivals: all of them would take a minute."""
    few = {name: RIVALS[name] for name in FEW}
    few["crop-resistant"] = replace(few["crop-resistant"], sample=Sample(queries=1, database=4))
    with pytest.MonkeyPatch.context() as patch:
        for name in set(RIVALS) - set(few):
            patch.delitem(RIVALS, name)
        patch.setitem(RIVALS, "crop-resistant", few["crop-resistant"])
        return evaluate(photos, attacks=CHOSEN, queries=2, workers=1)


def untimed(card: Card) -> Card:
    methods = [replace(method, query_ms=0, index_ms=0) for method in card.methods]
    # Other pages of a database file are in use from one run to the next.
    return replace(card, methods=tuple(replace(m, image_bytes=0) for m in methods))


class TestRate:
    @pytest.mark.parametrize(
        ("hits", "of", "low", "high"),
        [(0, 1000, 0, 0.00383), (60, 60, 0.93983, 1), (5, 10, 0.23659, 0.76341)],
    )
    def test_the_interval_is_that_of_wilson(self, hits, of, low, high):
        assert Rate(hits, of).interval == pytest.approx((low, high), abs=1e-5)

    def test_of_nothing_anything_may_be_true(self):
        assert Rate(0, 0).interval == (0, 1)

    def test_the_interval_narrows_as_more_is_asked(self):
        spans = [high - low for low, high in (Rate(n / 2, n).interval for n in (10, 100, 1000))]
        assert spans == sorted(spans, reverse=True)


class TestNearest:
    def test_a_tie_is_shared(self):
        assert nearest(np.array([3.0, 2.0, 2.0, 2.0, 5.0]), [1]) == (2, 1 / 3, 2)

    def test_all_own_rows_are_right(self):
        assert nearest(np.array([2.0, 2.0, 4.0]), [0, 1]) == (2, 1, 4)

    def test_without_own_rows_nothing_is_right(self):
        assert nearest(np.array([2.0, 4.0]), []) == (inf, 0, 2)

    def test_an_empty_database_has_nothing_near(self):
        assert nearest(np.empty(0), []) == (inf, 0, inf)


class TestThreshold:
    def test_is_the_largest_distance_with_that_precision(self):
        nears = [Near(n, 1, 20 + n) for n in range(10)]
        assert threshold(nears) == 9
        assert threshold(nears, precision=0.5) == 29

    def test_counts_queries_without_their_original(self):
        nears = [Near(0, 1, 30)] * 99 + [Near(0, 1, 4)]
        assert threshold(nears) == 4  # 100 right, 1 wrong
        assert threshold([*nears, Near(9, 0, 4)]) == 0

    def test_there_is_none_where_the_first_are_wrong(self):
        assert threshold([Near(0, 0.5, 0)]) is None
        assert threshold([]) is None


def test_iou_is_shared_area_of_the_area_of_both():
    assert iou((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert iou((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert iou((0, 0, 1, 1), (2, 2, 3, 3)) == 0


@pytest.mark.parametrize("name", ["perceptual-16", "wavelet-8", "color-3", "crop-resistant"])
def test_rivals_give_the_distances_of_imagehash(name):
    functions = {
        "perceptual-16": lambda image: imagehash.phash(image, 16),
        "wavelet-8": imagehash.whash,
        "color-3": imagehash.colorhash,
        "crop-resistant": imagehash.crop_resistant_hash,
    }
    images = [photo(f"photo {number}") for number in range(3)]
    images.append(images[0].crop((0, 0, 200, 140)))
    hashes = [functions[name](image) for image in images]
    rival = RIVALS[name]
    codes = rival.describe(images)
    for code, own in zip(codes, hashes, strict=True):
        expected = [own - other for other in hashes]
        assert rival.distances(code, codes) == pytest.approx(expected)


def test_levenshtein_rivals_compare_the_hex_text():
    rival = RIVALS["average-8-levenshtein"]
    codes = [np.array([code], np.uint64) for code in (0xFF00, 0xF00F, 0xFF01)]
    assert rival.distances(codes[0], codes).tolist() == [0, 2, 1]


def test_a_rival_that_is_not_installed_says_so(photos, monkeypatch):
    description = replace(RIVALS["pdq"].description, package="nothing", module="no_such_module")
    for name in set(RIVALS) - {"pdq"}:
        monkeypatch.delitem(RIVALS, name)
    monkeypatch.setitem(RIVALS, "pdq", replace(RIVALS["pdq"], description=description))
    assert RIVALS["pdq"].missing() == "needs nothing, which is not installed"
    found = evaluate(photos, attacks=["ident"], queries=1, workers=1)
    assert [method.name for method in found.measured()] == [OURS]
    assert "Not measured: pdq: needs nothing, which is not installed." in found.to_markdown()


def test_an_entrant_is_the_same_in_another_process():
    codes = tuple(RIVALS["wavelet-8"].describe([photo(f"photo {number}") for number in range(3)]))
    entrant = Entrant(RIVALS["wavelet-8"], ("a", "b", "c"), codes)
    assert entrant.near(codes[1], ["b", "elsewhere"]).right_distance == 0
    copy = pickle.loads(pickle.dumps(entrant))  # noqa: S301
    assert copy.near(codes[1], ["a"]) == entrant.near(codes[1], ["a"])


@pytest.mark.slow  # the card of four methods; the command below makes a small one
class TestCard:
    def test_asks_every_method_every_attack(self, card):
        assert [item.name for item in card.attacks] == list(CHOSEN)
        names = [method.name for method in card.measured()]
        assert names[0] == OURS
        assert {"average-8-levenshtein", "perceptual-16", "crop-resistant"} <= set(names)
        for name in names:
            asked = {card.score(name, item).first.of for item in CHOSEN}
            assert asked == {1 if name == "crop-resistant" else 2}

    def test_a_slow_rival_is_asked_less_and_the_card_says_so(self, card):
        method = next(method for method in card.methods if method.name == "crop-resistant")
        assert (method.queries, method.images) == (1, 4)
        assert "crop-resistant is slow, and was asked less: 1 queries" in card.to_markdown()

    def test_ours_finds_crops_and_mirrored_pictures_and_where_they_lie(self, card):
        for name in CHOSEN:
            score = card.score(OURS, name)
            assert (score.first.hits, score.accepted.hits, score.wrong.hits) == (2, 2, 0)
        assert card.score(OURS, "crop50").boxes == Rate(2, 2)
        assert card.score(OURS, "crop50").iou > 0.9
        assert card.score(OURS, "fliph").iou is None  # the whole is easily told

    def test_rivals_find_copies_and_no_mirrored_ones(self, card):
        assert card.score("perceptual-16", "jpeg30").accepted.hits == 2
        assert card.score("perceptual-16", "fliph").accepted.hits == 0

    def test_nothing_matches_where_nothing_is(self, card):
        groups = {(item.method, item.group): item.false for item in card.absences}
        assert groups[OURS, LEFT_OUT] == Rate(0, 2 * len(CHOSEN))
        assert groups[OURS, DRAWN] == Rate(0, len(BACKGROUNDS))
        assert card.false_matches == ()

    def test_says_what_was_asked(self, card, photos):
        protocol = card.protocol
        assert (protocol.images, protocol.database, protocol.skipped) == (10, 10, 0)
        assert protocol.tuning + protocol.scoring == 10
        assert protocol.queries == 2
        assert str(photos.parent) not in card.to_json() + card.to_markdown()
        options = "--queries 2 --seed 0 --keypoints 200"
        assert f"hashlens evaluate {photos.name} {options} --attack ident" in card.to_markdown()

    def test_measures_time_and_bytes(self, card):
        for method in card.measured():
            assert method.query_ms > 0
            assert method.index_ms > 0
            assert method.image_bytes >= 8

    def test_survives_json(self, card):
        assert Card.from_json(card.to_json()) == card
        rate = json.loads(card.to_json())["scores"][0]["accepted"]
        assert rate["low"] < rate["share"] == rate["hits"] / rate["of"] <= rate["high"]

    def test_is_saved_with_a_plot(self, card, tmp_path):
        card.save(tmp_path / "docs")
        assert "![Methods by attacks](accuracy.png)" in (tmp_path / "docs/accuracy.md").read_text()
        assert Card.from_json((tmp_path / "docs/accuracy.json").read_text()) == card
        with Image.open(tmp_path / "docs/accuracy.png") as picture:
            assert picture.width > 400

    def test_says_what_a_plot_needs(self, card, tmp_path, monkeypatch):
        monkeypatch.setattr(plots, "import_module", lambda name: __import__(f"no_{name}"))
        with pytest.raises(ParameterError, match=r"pip install 'hashlens\[evaluate\]'"):
            card.plot(tmp_path / "card.png")


@pytest.mark.slow
def test_a_card_is_the_same_whoever_works(photos):
    one = evaluate(photos, attacks=["crop30", "rot5"], queries=1, rivals=False, workers=1)
    two = evaluate(photos, attacks=["rot5", "crop30"], queries=1, rivals=False, workers=2)
    assert untimed(one) == untimed(two)


def test_a_false_match_is_counted_and_named(tmp_path):
    folder, strangers = tmp_path / "photos", tmp_path / "strangers"
    folder.mkdir()
    strangers.mkdir()
    for number in range(4):
        image = photo(f"photo {number}")
        image.save(folder / f"{number}.png")
        # Another file that shows most of the same, as the next photograph of a series does.
        image.crop((20, 10, 230, 150)).save(folder / f"{number}-next.png")
    photo("photo 0").crop((0, 0, 200, 140)).save(strangers / "part.png")
    photo("a stranger").save(strangers / "other.png")
    found = evaluate(folder, attacks=["ident"], seed=1, absent=[strangers], rivals=False, workers=1)
    groups = {item.group: item.false for item in found.absences}
    assert groups[LEFT_OUT] == Rate(found.protocol.queries, found.protocol.queries)
    assert groups[ABSENT] == Rate(1, 2)
    left_out = [item for item in found.false_matches if item.group == LEFT_OUT]
    assert {item.match.replace("-next", "") for item in left_out} == {
        item.query.replace("-next", "") for item in left_out
    }
    stranger = next(item for item in found.false_matches if item.group == ABSENT)
    assert (stranger.query, stranger.attack, stranger.stage) == ("strangers/part.png", "", "crop")
    assert stranger.match in ("0.png", "0-next.png")


@pytest.mark.slow
def test_equal_pictures_are_no_false_matches(tmp_path):
    for number in range(4):
        image = photo(f"photo {number}")
        image.save(tmp_path / f"{number}.png")
        image.save(tmp_path / f"{number}\udcff.bmp")  # a name that is not UTF-8
    found = evaluate(tmp_path, attacks=["ident", "crop70"], rivals=False, workers=1)
    assert found.protocol.equal == 8
    assert found.false_matches == ()
    assert found.score(OURS, "crop70").accepted.share == 1


@pytest.mark.slow
def test_distractors_are_in_the_database_and_absent_pictures_are_not(photos, tmp_path):
    photo("a distractor").save(tmp_path / "distractor.png")
    (tmp_path / "absent").mkdir()
    photo("a distractor").save(tmp_path / "absent" / "same.png")
    ImageEnhance.Color(photo("somewhere else")).enhance(0.5).save(tmp_path / "absent" / "new.png")
    (tmp_path / "absent" / "bad.png").write_text("no image")
    found = evaluate(
        photos,
        attacks=["text"],
        queries=1,
        distractors=[tmp_path / "distractor.png"],
        absent=[tmp_path / "absent"],
        rivals=False,
        workers=1,
    )
    assert found.protocol.database == 11
    groups = {item.group: item.false.of for item in found.absences}
    assert groups[ABSENT] == 2  # new.png, as it is and with text


def test_what_cannot_be_is_refused(photos, tmp_path):
    with pytest.raises(ParameterError, match="no attack is named 'melt'"):
        evaluate(photos, attacks=["melt"])
    with pytest.raises(ParameterError, match="queries must be a whole number"):
        evaluate(photos, queries=0)
    with pytest.raises(ParameterError, match="at least one attack"):
        evaluate(photos, attacks=[])
    with pytest.raises(ParameterError, match="no such file or directory"):
        evaluate(tmp_path / "nowhere")
    photo("alone").save(tmp_path / "alone.png")
    with pytest.raises(ParameterError, match="too few pictures to be split: 1"):
        evaluate(tmp_path, workers=1)


def test_the_command_prints_the_card(photos, tmp_path):
    options = ("--queries", "1", "--attack", "ident", "--no-rivals", "--workers", "1")
    arguments = [str(photos), *options, "--out", str(tmp_path), "--format", "json"]
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0, done.output
    card = Card.from_json(done.stdout)
    assert [method.name for method in card.methods] == [OURS]
    assert (tmp_path / "accuracy.md").read_text().startswith("# Accuracy card\n")
    assert (tmp_path / "accuracy.png").exists()


def test_the_attacks_of_the_article_and_of_peers_are_there():
    crops = [f"{kind}{share}" for kind in ("crop", "ccrop") for share in (90, 50, 30, 15)]
    assert {"ident", "article", "screenshot", "collage", "strong30", *crops} <= set(ATTACKS)
