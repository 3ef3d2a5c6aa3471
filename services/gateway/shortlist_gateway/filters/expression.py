"""Filter expressions to trees: the subset of AIP-160 that makes sense of items.

As AIP-160 has it, OR binds tighter than AND, and terms side by side are joined as by AND: ``a = 1 b = 2 OR c = 3`` is
``a = 1 AND (b = 2 OR c = 3)``. Beyond AIP-160: a list of values in parentheses, ``id:("1", "2")``, durations in
minutes, hours and days, and parameters, ``$name``, in the place of values and durations. https://google.aip.dev/160
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any as Anything

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.exceptions import VisitError

from shortlist_domain.filters import (
    ACTOR_PREFIX,
    EVERYTHING,
    MAX_EXPRESSION_BYTES,
    All,
    Any,
    Comparison,
    History,
    Node,
    Not,
    Operator,
    Parameter,
    Word,
    limit_violation,
)
from shortlist_rpc.filter_message import LONGEST_S, MAX_TEXT_BYTES

CACHED_EXPRESSIONS = 1024

GRAMMAR = r"""
start: [expression]
?expression: sequence ("AND" sequence)*
?sequence: factor+
?factor: term ("OR" term)*
?term: ("NOT" | MINUS) simple -> negated
     | simple
?simple: restriction | "(" expression ")"
?restriction: member COMPARATOR argument -> compared
            | FUNCTION [value ("," value)*] ")" -> called
            | member -> alone
member: (NAME | STRING) ("." (NAME | STRING))*
?argument: value | "(" value ("," value)* ")" -> listed
         | "(" value ("OR" value)+ ")" -> listed
         | "(" value ("AND" value)+ ")" -> together
?value: STRING -> text
      | PARAMETER -> parameter
      | TIME -> word
      | WORD -> word
MINUS: "-"
COMPARATOR: "<=" | ">=" | "!=" | "=" | "<" | ">" | ":"
FUNCTION.2: /(?!(?:AND|OR|NOT)\b)[^\W\d][\w.]*\(/
NAME.1: /(?!(?:AND|OR|NOT)(?![\w\-]))[^\W\d][\w\-]*/
TIME.3: /\d{4}-\d{2}-\d{2}[Tt][\d:.]+([Zz]|[+\-]\d{2}:\d{2})?/
PARAMETER.4: /\$[^\W\d]\w*(?![^\s()<>=!:,"'\\])/
WORD: /(?!\$)(?!(?:AND|OR|NOT)(?![^\s()<>=!:,"'\\]))[^\s()<>=!:,"'\\]+/
STRING: /"(?:[^"\\]|\\.)*"/s | /'(?:[^'\\]|\\.)*'/s
%ignore /\s+/
"""

_PARSER = Lark(GRAMMAR, parser="lalr", lexer="contextual", maybe_placeholders=False)

_NAMES = {
    "AND": "AND",
    "OR": "OR",
    "NOT": "NOT",
    "MINUS": "-",
    "COMPARATOR": "one of = != < <= > >= :",
    "FUNCTION": "seen(",
    "NAME": "an attribute",
    "STRING": 'a text in quotes, as in "Comedy"',
    "WORD": "a value",
    "PARAMETER": "a parameter, as in $name",
    "TIME": "a time",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": ",",
    "DOT": ".",
    "$END": "the end",
}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_TYPE = re.compile(r"[^\W\d].*", re.DOTALL)
"""What may stand for an event type without quotes: durations that are mistaken or negative may not."""

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class ExpressionRefused(ValueError):
    """An expression is none; the message says where and what was expected."""


@lru_cache(maxsize=CACHED_EXPRESSIONS)
def parsed(expression: str, durations: frozenset[str] = frozenset()) -> Node:
    """Return the tree of ``expression``; unquoted values in it are words, ``$name`` parameters. Empty is everything.

    Args:
        expression: The text.
        durations: Names of the parameters that are durations: the last word of a ``seen(...)`` tells a type of event
            from a lookback by its kind.

    Raises:
        ExpressionRefused: Too long, too large, or not of the language.
    """
    size = len(expression.encode("utf-8", "surrogatepass"))
    if size > MAX_EXPRESSION_BYTES:
        raise ExpressionRefused(f"is {size} bytes long; at most {MAX_EXPRESSION_BYTES} are allowed")
    try:
        node: Node = _ToTree(durations).transform(_PARSER.parse(expression))
    except UnexpectedInput as error:
        raise ExpressionRefused(_told(error, expression)) from error
    except VisitError as error:
        raise ExpressionRefused(str(error.orig_exc)) from error
    except RecursionError as error:
        raise ExpressionRefused("is nested too deeply") from error
    if said := limit_violation(node):
        raise ExpressionRefused(said)
    return node


class _Listed(tuple[Anything, ...]):
    """Values of which one is meant."""

    __slots__ = ()


class _Together(tuple[Anything, ...]):
    """Values that are all meant."""

    __slots__ = ()


class _Alone:
    """A member without a comparison."""

    def __init__(self, name: Token) -> None:
        self.name = name


class _ToTree(Transformer[Token, Node]):
    """Parse tree to filter tree, from the leaves up."""

    def __init__(self, durations: frozenset[str]) -> None:
        super().__init__()
        self._durations = durations

    def start(self, children: list[Node]) -> Node:
        return _checked(children[0]) if children else EVERYTHING

    def expression(self, children: list[Node]) -> Node:
        return All(tuple(map(_checked, children)))

    sequence = expression

    def factor(self, children: list[Node]) -> Node:
        return Any(tuple(map(_checked, children)))

    def negated(self, children: list[Anything]) -> Node:
        return Not(_checked(children[-1]))

    def alone(self, children: list[Token]) -> _Alone:
        return _Alone(children[0])

    def member(self, children: list[Token]) -> Token:
        name = ".".join(_unquoted(token) if token.type == "STRING" else str(token) for token in children)
        return Token("NAME", name, start_pos=children[0].start_pos)

    def text(self, children: list[Token]) -> str:
        text = _unquoted(children[0])
        if (size := len(text.encode("utf-8", "surrogatepass"))) > MAX_TEXT_BYTES:
            raise ExpressionRefused(
                f"has a text of {size} bytes {_where(children[0])}; at most {MAX_TEXT_BYTES} are allowed"
            )
        return text

    def word(self, children: list[Token]) -> Word:
        return Word(str(children[0]))

    def parameter(self, children: list[Token]) -> Parameter:
        return Parameter(str(children[0])[1:])

    def listed(self, children: list[str | Word | Parameter]) -> _Listed:
        return _Listed(children)

    def together(self, children: list[str | Word | Parameter]) -> _Together:
        return _Together(children)

    def compared(self, children: list[Anything]) -> Node:
        name, sign, value, at = str(children[0]), Operator(str(children[1])), children[2], children[0].start_pos
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, Word) and each.text.startswith(ACTOR_PREFIX):
                raise ExpressionRefused(
                    f"compares {name!r} with {each.text!r} {_where(children[0])}: attributes are compared with values; "
                    "quote it if it is one"
                )
        if sign is Operator.HAS and value == Word("*"):
            return Comparison(name, Operator.PRESENT, position=at)
        if isinstance(value, _Together):
            return All(tuple(Comparison(name, sign, each, at) for each in value))
        if isinstance(value, _Listed):
            return Comparison(name, sign, tuple(value) if len(value) > 1 else value[0], at)
        return Comparison(name, sign, value, at)

    def called(self, children: list[Anything]) -> Node:
        name, arguments, where = str(children[0])[:-1], children[1:], _where(children[0])
        if name != "seen":
            only = 'the only function is seen(...), as in seen("rating", 30d)'
            raise ExpressionRefused(f"calls {name}(...) {where}; {only}")
        lookback_s, lookback_parameter = None, ""
        if arguments and self._is_duration(arguments[-1]):
            lookback_parameter, arguments = arguments[-1].name, arguments[:-1]
        elif arguments and isinstance(arguments[-1], Word) and (found := _DURATION.fullmatch(arguments[-1].text)):
            lookback_s = float(found[1]) * _SECONDS[found[2]]
            if not 0.0 < lookback_s <= LONGEST_S:
                said = f"has the lookback {found[0]} in seen(...) {where}"
                raise ExpressionRefused(f"{said}; it must be above 0 and at most 10,000 years, 3652500d")
            arguments = arguments[:-1]
        for each in arguments:
            if self._is_duration(each) or (isinstance(each, Word) and _DURATION.fullmatch(each.text)):
                raise ExpressionRefused(
                    f"has a duration before the end of seen(...) {where}; it comes last, a type that looks so is quoted"
                )
            if isinstance(each, Word) and not _TYPE.fullmatch(each.text):
                raise ExpressionRefused(
                    f"has {each.text!r} in seen(...) {where}, which is neither a type nor, at its end, a duration as "
                    "in 30d; a type that looks so is quoted"
                )
        types = tuple(
            each.text if isinstance(each, Word) else each for each in arguments if not isinstance(each, Parameter)
        )
        if "" in types:
            raise ExpressionRefused(f"has an empty event type in seen(...) {where}")
        names = tuple(each.name for each in arguments if isinstance(each, Parameter))
        return History(types, lookback_s, names, lookback_parameter)

    def _is_duration(self, argument: Anything) -> bool:
        return isinstance(argument, Parameter) and argument.name in self._durations


def _checked(node: Anything) -> Node:
    if isinstance(node, _Alone):
        said = f"has {str(node.name)!r} without a comparison {_where(node.name)}"
        raise ExpressionRefused(f"{said}; write an attribute, a comparator and a value")
    found: Node = node
    return found


def _unquoted(token: Token) -> str:
    inner = token[1:-1]
    for escape in _ESCAPE.finditer(inner):
        if escape[1] not in "\\\"'":
            where = _where(token, 1 + escape.start())
            raise ExpressionRefused(f"has the escape {escape[0]!r} in a text {where}; there are \\\\, \\\" and \\'")
    return _ESCAPE.sub(r"\1", inner)


def _where(token: Token, within: int = 0) -> str:
    """Return the place in the expression of a character of ``token``, the first one or one that many after it."""
    return f"at character {(token.start_pos or 0) + within + 1}"


def _told(error: UnexpectedInput, expression: str) -> str:
    """Return what stands where in ``expression``, and what would be right there."""
    if isinstance(error, UnexpectedToken):
        expected: set[str] = error.accepts or error.expected
        is_end = error.token.type == "$END"
        at = len(expression) if is_end else error.token.start_pos or 0
        found = "the end" if is_end else repr(str(error.token)[:40])
    elif isinstance(error, UnexpectedCharacters):
        expected, at = error.allowed or set(), error.pos_in_stream or 0
        found = repr(expression[at])
        if expression[at] in "\"'":
            return f"has a text that begins at character {at + 1} and does not end"
    else:
        return "cannot be read"
    names = sorted({_NAMES.get(terminal, terminal) for terminal in expected})
    return f"has {found} at character {at + 1}; expected {' or '.join(names)}"
