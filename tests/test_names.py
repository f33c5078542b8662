"""Names of files as text, and back."""

import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hashlens.names import as_names, as_text, name_of, names_of, text_of

# Bytes of names, with many near the escapes.
PIECES = st.sampled_from(
    (b"\\u", b"\\", b"udce9", b"005c", b"d800", b"\xe9", b"\xc3", b"\xa9", b"/")
)
NAMES = st.lists(PIECES | st.binary(min_size=1, max_size=3)).map(b"".join)


@given(NAMES)
@example(b"caf\xe9.jpg")
@example(rb"\udce9")
@example(rb"\u005cudce9")
@example(b"\\\xe9")
def test_the_bytes_of_any_name_come_back(name: bytes) -> None:
    text = text_of(os.fsdecode(name))
    text.encode()  # raises unless it is valid
    assert os.fsencode(name_of(text)) == name


@given(st.text())
@example("caf\u00e9.jpg")
@example(r"\udc")
def test_a_name_in_utf_8_without_an_escape_is_its_own_text(name: str) -> None:
    if "\\u" not in name:
        assert text_of(name) == name
    assert name_of(text_of(name)) == name


@given(NAMES, NAMES)
def test_the_text_of_a_path_is_the_texts_of_its_parts(folder: bytes, name: bytes) -> None:
    first, second = os.fsdecode(folder), os.fsdecode(name)
    assert text_of(f"{first}/{second}") == f"{text_of(first)}/{text_of(second)}"


@given(st.lists(NAMES))
@example([b"\\u", b"d800\xe9"])
def test_many_are_as_each(names: list[bytes]) -> None:
    texts = [text_of(os.fsdecode(name)) for name in names]
    assert names_of(texts) == [name_of(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (r"a\udce9", "a\udce9"),
        (r"a\udcc3\udca9", "a\u00e9"),  # two spellings of one name
        (r"a\ud800", r"a\ud800"),  # no file can have it
        (r"a\uDCE9", r"a\uDCE9"),
        (r"a\u0041", r"a\u0041"),
        ("a\ud800", "a\ud800"),
    ],
)
def test_of_foreign_text_only_the_escapes_of_bytes_are_read(text: str, name: str) -> None:
    assert name_of(text) == name


def test_a_record_has_the_texts_of_its_names() -> None:
    record = {"\udce9": ["\udce9", ("a", 1, None)], "b": {"c": "\udcff"}}
    assert as_names(as_text(record))["b"] == {"c": "\udcff"}
    assert as_text(record) == {r"\udce9": [r"\udce9", ["a", 1, None]], "b": {"c": r"\udcff"}}
