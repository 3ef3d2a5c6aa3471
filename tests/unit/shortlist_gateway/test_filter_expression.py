"""Filter expressions: AIP-160's grammar and precedence, and errors that say where."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist_domain.filters import (
    EVERYTHING,
    All,
    Any,
    Comparison,
    History,
    Node,
    Not,
    Operator,
    Parameter,
    Value,
    Word,
)
from shortlist_gateway.filters.expression import ExpressionRefused, parsed


def is_(name: str, value: Value = None, sign: str = "=") -> Comparison:
    return Comparison(name, Operator(sign), Word("1") if value is None else value)


A, B, C, D = (is_(name) for name in "abcd")


@pytest.mark.parametrize(
    ("expression", "tree"),
    [
        ("", EVERYTHING),
        ("  ", EVERYTHING),
        ("a = 1", A),
        ("a=1", A),
        ("a = 1 AND b = 1", All((A, B))),
        ("a = 1 OR b = 1", Any((A, B))),
        # AIP-160: "OR" binds tighter than "AND", and a sequence tighter than "AND" but looser than "OR".
        ("a = 1 AND b = 1 OR c = 1", All((A, Any((B, C))))),
        ("a = 1 OR b = 1 AND c = 1 OR d = 1", All((Any((A, B)), Any((C, D))))),
        ("a = 1 b = 1", All((A, B))),
        ("a = 1 b = 1 OR c = 1", All((A, Any((B, C))))),
        ("a = 1 b = 1 AND c = 1", All((All((A, B)), C))),
        ("(a = 1 AND b = 1) OR c = 1", Any((All((A, B)), C))),
        ("((a = 1))", A),
        ("NOT a = 1 AND b = 1", All((Not(A), B))),
        ("NOT (a = 1 OR b = 1)", Not(Any((A, B)))),
        ("NOT(a = 1)", Not(A)),
        ("-a = 1", Not(A)),
        ("-(a = 1 b = 1)", Not(All((A, B)))),
        ("a = 1 (b = 1)", All((A, B))),
        ("a = -1", is_("a", Word("-1"))),
        ("a<=1 b>=1 c<1 d>1", All((is_("a", sign="<="), is_("b", sign=">="), is_("c", sign="<"), is_("d", sign=">")))),
        ("a != 1", is_("a", sign="!=")),
        ('a:"x"', is_("a", "x", ":")),
        ("a:x", is_("a", Word("x"), ":")),
        ("a:*", Comparison("a", Operator.PRESENT)),
        ('a:"*"', is_("a", "*", ":")),
        ('a:("x", "y")', is_("a", ("x", "y"), ":")),
        ('a:("x" OR "y")', is_("a", ("x", "y"), ":")),
        ('a:("x" AND "y")', All((is_("a", "x", ":"), is_("a", "y", ":")))),
        ('a:("x")', is_("a", "x", ":")),
        ("a = (1, 2)", is_("a", (Word("1"), Word("2")))),
        ("a = 'it\\'s'", is_("a", "it's")),
        ('a = "\\"\\\\"', is_("a", '"\\')),
        ('"release year" = 1', is_("release year")),
        ("actor.age = 1", is_("actor.age")),
        ('actor."zip code" = 1', is_("actor.zip code")),
        ("größe = 1", is_("größe")),
        ("ANDy = 1", is_("ANDy")),
        ("a = true", is_("a", Word("true"))),
        ("a > 2024-01-31T12:00:00Z", is_("a", Word("2024-01-31T12:00:00Z"), ">")),
        ("a > 2024-01-31T12:00:00.5+02:00 b = 1", All((is_("a", Word("2024-01-31T12:00:00.5+02:00"), ">"), B))),
        ("a > 2024-01-31", is_("a", Word("2024-01-31"), ">")),
        ("a = $b", is_("a", Parameter("b"))),
        ("a:$größe_2", is_("a", Parameter("größe_2"), ":")),
        ('a = "$b"', is_("a", "$b")),
        ("a = b$c", is_("a", Word("b$c"))),
        ('a:($b, "c")', is_("a", (Parameter("b"), "c"), ":")),
        ('a:($b AND "c")', All((is_("a", Parameter("b"), ":"), is_("a", "c", ":")))),
        ("a<$b(c=1)", All((is_("a", Parameter("b"), "<"), C))),
        ("seen($a)", History((), None, ("a",))),
        ("seen($a, rating, $b, 60s)", History(("rating",), 60.0, ("a", "b"))),
        ("seen()", History()),
        ("seen(rating)", History(("rating",))),
        ("seen(add-to-cart, _x, 購入)", History(("add-to-cart", "_x", "購入"))),
        ('seen("rating", click, 90s)', History(("rating", "click"), 90.0)),
        ('seen("30d")', History(("30d",))),
        ("seen(1.5h)", History((), 5400.0)),
        ("seen(3652500d)", History((), 315_576_000_000.0)),
        ('NOT seen("rating", 30d)', Not(History(("rating",), 2_592_000.0))),
        (
            'genres:"Comedy" AND year >= 1990 AND NOT id:("1","2")',
            All((is_("genres", "Comedy", ":"), is_("year", Word("1990"), ">="), Not(is_("id", ("1", "2"), ":")))),
        ),
    ],
)
def test_an_expression_means_what_aip_160_says(expression: str, tree: Node) -> None:
    assert parsed(expression) == tree


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("a", "'a' without a comparison"),
        ("a = 1 comedy", "'comedy' without a comparison"),
        ("not a = 1", "'not' without a comparison"),
        ("a =", "the end at character 4; expected"),
        ("a = 1 OR", "the end at character 9"),
        ("= 1", "'=' at character 1"),
        ("a == 1", "'=' at character 4"),
        ("a = b = 1", "'=' at character 7"),
        ("(a = 1", "the end at character 7; expected )"),
        ("a = 1)", "')' at character 6"),
        ("a ! 1", "'!' at character 3"),
        ("AND a = 1", "'AND' at character 1"),
        ("a = AND", "'AND' at character 5"),
        ("NOT NOT a = 1", "'NOT' at character 5"),
        ('a = "x', "begins at character 5 and does not end"),
        ('a = "\\n"', r"the escape '\\n' in a text at character 6"),
        ("matches(a, 1)", "calls matches(...) at character 1; the only function is seen"),
        ("seen(30d, rating)", "it comes last"),
        ('seen("")', "empty event type"),
        ("a = 1 seen(0s)", "the lookback 0s in seen(...) at character 7"),
        ("seen(-5d)", "'-5d' in seen(...)"),
        ("seen(rating, 30)", "'30' in seen(...)"),
        ("NOT seen(1e9d)", "'1e9d' in seen(...)"),
        ("seen(30D)", "'30D' in seen(...)"),
        ("seen(*)", "'*' in seen(...)"),
        ("seen(3652501d)", "at most 10,000 years"),
        ("seen(99999999999999d)", "the lookback"),
        ("a = 1 b = actor.b", "at character 7: attributes are compared with values"),
        ("a = $", "'$' at character 5"),
        ("a = $1", "'$' at character 5; expected ( or a parameter, as in $name"),
        ("a = $b.c", "'$' at character 5"),
        ("$a = 1", "'$a' at character 1"),
        ("seen(30d, $a)", "it comes last"),
        ("a:(b:(1))", "':' at character 5"),
        ("a = ()", "')' at character 6"),
        ("a = (1 OR 2 AND 3)", "'AND' at character 13"),
        ("a = 1 " * 101, "joins 101"),
        (f"seen({','.join('a' * 101)})", "names 101 types of event"),
        ("NOT (" * 16 + "a = 1" + ")" * 16, "deeper than 16"),
        ("NOT (" * 700 + "a = 1" + ")" * 700, "deep"),
        (f'a = 1 b = "{"é" * 513}"', "has a text of 1026 bytes at character 11; at most 1024"),
        ("a = " + "1" * 5000, "is 5004 bytes long; at most 5000"),
        ("a = " + "é" * 2499, "is 5002 bytes long"),
    ],
)
def test_an_error_says_where_and_what_was_expected(expression: str, said: str) -> None:
    with pytest.raises(ExpressionRefused) as caught:
        parsed(expression)
    assert said in str(caught.value)


def test_length_and_depth_at_their_limits_are_fine() -> None:
    assert parsed("a = " + "1" * 4996) == is_("a", Word("1" * 4996))
    parsed("NOT (" * 15 + "a = 1" + ")" * 15)
    parsed("a = 1 " * 100)


def test_an_expression_is_parsed_once() -> None:
    assert parsed('a = "once"') is parsed('a = "once"')


PIECES = st.sampled_from(
    ["a", "b.c", "=", "!=", "<", ">=", ":", ":*", "(", ")", '"x"', "'", '"', "\\", ",", "AND", "OR", "NOT", "-", "1990",
     "true", "seen(", "seen", "30d", "$a", "$", "2024-01-31T12:00:00Z", " ", "\n", "\x00", "é", "*", "actor.age", "."]
)  # fmt: skip


@settings(max_examples=1500, deadline=None)
@given(st.lists(PIECES, max_size=25).map(" ".join) | st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=40))
def test_any_text_is_a_tree_or_refused(text: str) -> None:
    with contextlib.suppress(ExpressionRefused):
        parsed(text)
