from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashlens.sql import tokens


@pytest.mark.parametrize(
    ("token", "name"), [(":q", "q"), (":", ""), ("::", None), ("q", None), ("", None)]
)
def test_bind_parameters_have_a_colon_and_casts_have_two(token, name):
    assert tokens.parameter(token) == name


@pytest.mark.parametrize(
    ("token", "value"),
    [(":q", "ff"), (":missing", None), ("'a b'", "a b"), ("12", "12"), ("Null", None)],
)
def test_constants_have_the_value_that_they_are_given(token, value):
    assert tokens.constant(token, {"q": "ff"}) == value


@pytest.mark.parametrize(
    ("token", "is_text"),
    [("'a'", True), ("''", True), ("'", False), ("'a", False), ('"a"', False), ("a", False)],
)
def test_only_a_closed_text_in_single_quotes_is_a_text(token, is_text):
    assert tokens.is_text(token) == is_text


@given(st.text(st.characters(exclude_characters='"')))
def test_quoted_names_are_one_token_and_come_back(name):
    assert list(tokens.tokenize(tokens.quote(name))) == [tokens.quote(name)]
    assert tokens.unquote(tokens.quote(name)) == name
