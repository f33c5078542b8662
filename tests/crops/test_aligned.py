"""Two pictures, one brought to its place in the other."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

from drawing import draw
from hashlens.crops.aligned import difference_in_place
from hashlens.model import Place

SIZE = (1240, 1754)


def page(total):
    picture = Image.new("RGB", SIZE, "white")
    pen, letters = ImageDraw.Draw(picture), ImageFont.load_default(24)
    for row in range(36):
        amount = total if row == 12 else f"{row * 7919 % 1000}.50"
        pen.text((120, 60 + 44 * row), f"Item {row:03}   {amount}", "black", letters)
    return picture


def whole(width, height, *, mirrored=False):
    """Return the place of a picture that shows all of another one of its size."""
    corners = ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))
    transform = (-1.0 if mirrored else 1.0, 0.0, width * mirrored), (0.0, 1.0, 0.0)
    box, fractions = (0, 0, width, height), (0.0, 0.0, 1.0, 1.0)
    return Place(box, fractions, corners, transform, 50, 1.0, 1.0, mirrored)


def test_one_other_row_of_a_page_is_seen_in_its_place(tmp_path):
    one, other, copy = (str(tmp_path / name) for name in ("one.png", "other.png", "copy.jpg"))
    page("120.50").save(one)
    page("784.95").save(other)
    page("120.50").save(copy, quality=85)
    assert difference_in_place(one, other, whole(*SIZE)) != ""
    assert difference_in_place(copy, one, whole(*SIZE)) == ""


def test_a_mirrored_copy_is_the_same_in_its_place(tmp_path):
    one, other, mirrored = (str(tmp_path / name) for name in ("one.png", "other.png", "m.jpg"))
    picture = draw(3, (480, 320))
    picture.save(one)
    draw(4, (480, 320)).save(other)
    picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(mirrored, quality=80)
    assert difference_in_place(mirrored, one, whole(480, 320, mirrored=True)) == ""
    assert difference_in_place(mirrored, other, whole(480, 320, mirrored=True)) != ""


def test_pictures_are_turned_by_exif_only_where_the_index_turns_them(tmp_path):
    one, tagged = (str(tmp_path / name) for name in ("one.png", "tagged.jpg"))
    picture, exif = draw(3, (480, 320)), Image.Exif()
    picture.save(one)
    exif[0x0112] = 3
    picture.save(tagged, quality=90, exif=exif)
    assert difference_in_place(tagged, one, whole(480, 320), upright=False) == ""
    assert difference_in_place(tagged, one, whole(480, 320)) != ""
