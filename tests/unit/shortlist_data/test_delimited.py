"""Text files as people really have them."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist_data.dataset import Skipped
from shortlist_data.delimited import read_delimited
from shortlist_data.errors import DataRefused
from shortlist_data.rejects import LINE, Rejects


def read(content: bytes, **options: object) -> tuple[list[tuple[object, ...]], int, tuple[Skipped, ...]]:
    rejects = Rejects()
    frame, found = read_delimited(content, "f.csv", "interactions", rejects, **options)  # type: ignore[arg-type]
    return frame.rows(), found, rejects.report("test", {}).skipped


def test_rows_come_with_the_number_of_their_line() -> None:
    assert read(b"a,b\n1,2\n3,4\n") == ([("1", "2", 2), ("3", "4", 3)], 2, ())


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\r\n1,2\r\n3,4\r\n",
        b"a,b\r1,2\r3,4\r",
        b"\xef\xbb\xbfa,b\n1,2\n3,4",
        b'"a","b"\n"1",2\n3,"4"\n',
        b'\xef\xbb\xbf"a","b"\r\n"1","2"\r\n"3","4"\r\n',
    ],
    ids=["crlf", "cr", "bom and no last newline", "quotes", "all of them"],
)
def test_line_ends_marks_and_quotes_make_no_difference(content: bytes) -> None:
    rows, found, skipped = read(content)
    assert [row[:2] for row in rows] == [("1", "2"), ("3", "4")]
    assert (found, skipped) == (2, ())


def test_quoted_fields_may_hold_delimiters_quotes_and_line_ends() -> None:
    rows, _, _ = read(b'a,b\n"x, ""y""\nz",1\n007,2\n')
    assert rows == [('x, "y"\nz', "1", 2), ("007", "2", 4)]


def test_a_quoted_field_beyond_what_is_read_is_called_that() -> None:
    rows, found, skipped = read(b'a,b\n"' + b"x" * 131_073 + b'",1\n"y",2\n')
    assert (rows, found) == ([("y", "2", 3)], 2)
    assert [s.reason for s in skipped] == ["a field is longer than 131,072 characters"]


def test_text_stays_exactly_as_it_is() -> None:
    assert read(b"a,b\n007, 1 \n1e3,NULL\n")[0] == [("007", " 1 ", 2), ("1e3", "NULL", 3)]


def test_rows_of_another_width_are_left_out_by_reason_and_line() -> None:
    rows, found, skipped = read(b"a,b\n1,2\n3\n4,5,6\n7,8\n9\n")
    assert [row[0] for row in rows] == ["1", "7"]
    assert found == 5
    assert {s.reason: (s.count, s.samples) for s in skipped} == {
        "fewer than 2 fields": (2, ("f.csv:3: '3'", "f.csv:6: '9'")),
        "more than 2 fields": (1, ("f.csv:4: '4,5,6'",)),
    }


def test_the_quoting_path_counts_the_same_faults() -> None:
    rows, found, skipped = read(b'a,b\n"1",2\n3\n4,5,6\n\n7,8\n')
    assert [(row[0], row[2]) for row in rows] == [("1", 2), ("7", 6)]
    assert found == 4
    assert {s.reason: s.count for s in skipped} == {"fewer than 2 fields": 1, "more than 2 fields": 1, "empty line": 1}


def test_empty_lines_are_counted_but_are_no_rows() -> None:
    rows, found, skipped = read(b"\n\na,b\n1,2\n\n3,4\n")
    assert [(row[0], row[2]) for row in rows] == [("1", 4), ("3", 6)]
    assert found == 2
    assert skipped == (Skipped("interactions", "empty line", 1, ("f.csv:5",), is_bad=False),)


def test_a_quote_that_never_closes_costs_one_row_not_the_rest_of_the_file() -> None:
    body = b"".join(b"%d,x\n" % n for n in range(500))
    rows, found, skipped = read(b'a,b\n"open,1\n' + body)
    assert len(rows) == 500
    assert found == 501
    assert [(s.reason, s.count, s.samples) for s in skipped] == [("quotes do not match", 1, ("f.csv:2: '\"open,1'",))]


def test_quotes_that_do_not_match_cost_their_row_only() -> None:
    rows, _, skipped = read(b'a,b\n"x"y,1\nq,2\n"z",3\n')
    assert [row[0] for row in rows] == ["q", "z"]
    assert skipped[0].samples == ("f.csv:2: '\"x\"y,1'",)


def test_bytes_that_are_no_utf8_cost_their_row_and_can_be_read_as_latin_1() -> None:
    content = "a,b\ncaf\u00e9,1\nx,2\n".encode("latin-1")
    rows, found, skipped = read(content)
    assert (rows, found) == ([("x", "2", 3)], 2)
    assert skipped[0].reason == "the bytes are not UTF-8 text"
    assert read(content, encoding="latin-1")[0][0] == ("caf\u00e9", "1", 2)
    quoted = read(b'a,b\n"caf\xe9",1\nx,2\n')
    assert quoted[0] == [("x", "2", 3)]
    assert quoted[2][0].reason == "the bytes are not UTF-8 text"


def test_delimiters_of_several_characters_and_files_without_a_header() -> None:
    rows, _, skipped = read(b'1::The "Best"::x\n2::y\n', delimiter="::", names=("id", "title", "genre"))
    assert rows == [("1", 'The "Best"', "x", 1)]
    assert skipped[0].count == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "f.csv is empty"),
        (b"\xef\xbb\xbf\r\n \n", "f.csv is empty"),
        (b"PK\x03\x04\x00\x00stuff", "not text"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        (b"\xff\xfe\xfd,b\n1,2\n", "header is not a line of text"),
        (b"a,b\rc,d\n1,2\n", "header is not a line of text"),
        (b"a,b,a\n1,2,3\n", "names 'a' twice"),
    ],
)
def test_what_is_no_table_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(DataRefused, match=message):
        read(content)


def test_a_header_alone_is_a_table_without_rows() -> None:
    assert read(b"a,b\n") == ([], 0, ())
    assert read(b'"a","b"') == ([], 0, ())


def test_a_column_may_have_any_name() -> None:
    assert read(b"line,reason,raw,fields\n1,2,3,4\n")[0] == [("1", "2", "3", "4", 2)]


FIELD = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00\ufeff"), max_size=8)


@given(st.lists(st.tuples(FIELD, FIELD), min_size=1, max_size=8), st.booleans())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_whatever_the_csv_module_writes_comes_back(rows: list[tuple[str, str]], quote_all: bool) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL).writerows([("a", "b"), *rows])
    got, found, skipped = read(buffer.getvalue().encode())
    assert [row[:2] for row in got] == rows
    assert (found, skipped) == (len(rows), ())


def test_chunks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"a,b\n" + b"".join(b"%d,%s\n" % (n, b"x" * (n % 7)) for n in range(300)) + b"bad\n\nlast,1"
    whole = read(content)
    monkeypatch.setattr("shortlist_data.delimited._CHUNK_BYTES", 64)
    assert read(content) == whole
    assert whole[0][-1] == ("last", "1", 304)


def test_samples_show_no_control_characters() -> None:
    _, _, skipped = read(b"a,b\n\x1b[31mred\n")
    assert skipped[0].samples == ("f.csv:2: '\\x1b[31mred'",)
    assert LINE not in "".join(skipped[0].samples)
