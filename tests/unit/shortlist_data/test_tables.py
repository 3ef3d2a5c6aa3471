"""Anybody's tables: what is read, what is left out, what is refused and how that is told."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from shortlist_data.errors import DataRefused
from shortlist_data.tables import read_tables

PLAIN = """
name: shop
interactions: {path: events.csv, user: who, item: what, value: stars, time: at}
"""
FULL = """
name: shop
interactions:
  path: events.csv
  user: who
  item: what
  value: stars
  time: {column: at, format: iso8601}
users:
  path: people.csv
  id: who
  attributes: {country: categorical, group: {kind: categorical, column: segment}}
items:
  path: things.csv
  id: sku
  title: name
  attributes:
    genres: {kind: multi, separator: "/"}
    maker: categorical
    year: number
"""


def events_csv(n: int = 144, extra: str = "", header: str = "who,what,stars,at") -> str:
    rows = [f"{i % 12:03d},i{(i + i // 12) % 12},{i % 5 + 1},{1000 + i}" for i in range(n)]
    return "\n".join([header, *rows]) + "\n" + extra


def write(folder: Path, schema: str = PLAIN, **files: str | bytes) -> Path:
    for name, content in files.items():
        path = folder / name.replace("_", ".")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "schema.yaml").write_text(schema)
    return folder / "schema.yaml"


def test_interactions_alone_make_a_data_set(tmp_path: Path) -> None:
    dataset = read_tables(write(tmp_path, events_csv=events_csv()))
    assert dataset.name == "shop"
    assert dataset.events == 144
    assert dataset.user_ids[:3] == ("000", "001", "002")
    assert dataset.item_ids == tuple(sorted(f"i{n}" for n in range(12)))
    assert dataset.items.columns == ["item_id", "title"]
    assert (dataset.user_attributes, dataset.item_attributes, dataset.item_numbers) == ((), (), ())
    assert dataset.report.rows == {"interactions": 144}
    assert dataset.report.skipped == ()


def test_attributes_come_in_the_types_promised_and_rows_match(tmp_path: Path) -> None:
    events = events_csv().replace(",1000\n", ",2024-01-01\n")
    for n in range(1, 144):
        events = events.replace(f",{1000 + n}\n", f",2024-01-02T00:{n // 60:02d}:{n % 60:02d}Z\n")
    people = "who,country,segment,ignored\n000,de,,x\n999,fr,gold,y\n"
    things = 'sku,name,genres,maker,year\ni1,"One, the first",drama/ comedy//drama,acme,1999\ni2,,,,unknown\n'
    dataset = read_tables(write(tmp_path, FULL, events_csv=events, people_csv=people, things_csv=things))
    assert dataset.users.columns == ["user_id", "country", "group"]
    assert dataset.users.row(0) == ("000", "de", None)
    assert dataset.users.row(by_predicate=pl.col("user_id") == "999") == ("999", "fr", "gold")
    assert dataset.users.row(1) == ("001", None, None)
    assert dict(dataset.items.schema) == {
        "item_id": pl.String,
        "title": pl.String,
        "genres": pl.List(pl.String),
        "maker": pl.String,
        "year": pl.Float64,
    }
    by_id = dict(zip(dataset.item_ids, dataset.items.rows(), strict=True))
    assert by_id["i1"] == ("i1", "One, the first", ["comedy", "drama"], "acme", 1999.0)
    assert by_id["i2"] == ("i2", None, None, None, None)
    assert by_id["i3"] == ("i3", None, None, None, None)
    assert dataset.times_s[0] == datetime(2024, 1, 1, tzinfo=UTC).timestamp()
    assert (dataset.user_attributes, dataset.item_attributes) == (("country", "group"), ("genres", "maker"))
    assert dataset.item_numbers == ("year",)
    assert [(s.table, s.reason, s.is_bad) for s in dataset.report.skipped] == [("items", "year is not a number", False)]


def test_flags_and_times_of_items_are_read_and_those_that_cannot_be_are_left_out_and_counted(tmp_path: Path) -> None:
    schema = (
        PLAIN
        + """
items:
  path: things.csv
  id: sku
  attributes: {new: flag, out: time, seen: {kind: time, format: seconds}}
"""
    )
    things = (
        "sku,new,out,seen\ni0,true,2024-01-31,0\ni1,No,2024-01-31T12:00:00+02:00,1.5\ni2,1,,\n"
        "i3,maybe,soon,later\ni4,0.0,2024-01-31T00:00:00Z,3\n"
    )
    dataset = read_tables(write(tmp_path, schema, events_csv=events_csv(), things_csv=things))
    items = dataset.items.filter(pl.col("item_id").is_in([f"i{n}" for n in range(6)])).sort("item_id")
    assert items["new"].to_list() == [True, False, True, None, False, None], "i5 is in no table"
    noon = datetime(2024, 1, 31, 10, tzinfo=UTC)
    assert items["out"].to_list()[:5] == [datetime(2024, 1, 31, tzinfo=UTC), noon, None, None, noon.replace(hour=0)]
    assert items["seen"].to_list()[1] == datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC)
    told = {skipped.reason: skipped.count for skipped in dataset.report.skipped if skipped.table == "items"}
    assert sum(told.values()) == 3
    assert "new is neither true nor false" in told
    assert (dataset.item_attributes, dataset.item_numbers) == ((), ()), "no model reads them"


def test_bad_rows_are_left_out_counted_and_shown_with_their_line(tmp_path: Path) -> None:
    extra = ",i1,3,1\n000,i1,nan,1\n000,i1,x,1\n000,i1,3,\n000,i1\n000,i1,3,later\n"
    path = write(tmp_path, events_csv=events_csv(extra=extra))
    dataset = read_tables(path)
    assert dataset.events == 144
    assert {s.reason: s.samples for s in dataset.report.skipped} == {
        "fewer than 4 fields": ("events.csv:150: '000,i1'",),
        "user id is missing": ("events.csv:146: ', i1, 3, 1'",),
        "value is NaN or infinite": ("events.csv:147: '000, i1, nan, 1'",),
        "value is not a number": ("events.csv:148: '000, i1, x, 1'",),
        "time is missing": ("events.csv:149: '000, i1, 3, '",),
        "time is not in the format seconds": ("events.csv:151: '000, i1, 3, later'",),
    }
    assert sum(s.count for s in dataset.report.skipped) + dataset.events == dataset.report.rows["interactions"]


def test_an_event_that_comes_twice_is_kept_once_and_is_no_fault(tmp_path: Path) -> None:
    again = events_csv().splitlines()[1:] * 2
    dataset = read_tables(write(tmp_path, events_csv=events_csv(extra="\n".join(again))))
    assert dataset.events == 144
    assert [(s.reason, s.count, s.is_bad) for s in dataset.report.skipped] == [("repeats an earlier event", 288, False)]


def test_too_many_bad_rows_are_refused_with_the_reasons(tmp_path: Path) -> None:
    path = write(tmp_path, events_csv=events_csv(extra="000,i1,x,1\n" * 7 + "000,,1,1\n"))
    with pytest.raises(DataRefused) as refused:
        read_tables(path)
    assert str(refused.value) == (
        "8 of 152 rows of interactions are bad (5.3%, at most 5.0% may be): 7 x value is not a number "
        "(events.csv:146: '000, i1, x, 1'); 1 x item id is missing (events.csv:153: '000, , 1, 1')"
    )
    assert read_tables(write(tmp_path, PLAIN + "limits: {bad_share: 0.1}")).events == 144


def test_too_little_data_says_what_is_missing_and_how_much(tmp_path: Path) -> None:
    one_user = "who,what,stars,at\n" + "".join(f"me,i{n},1,{n}\n" for n in range(50))
    with pytest.raises(DataRefused) as refused:
        read_tables(write(tmp_path, events_csv=one_user))
    assert str(refused.value) == (
        "shop is too small: 1 users with events where 10 are needed (9 more); "
        "50 interactions where 100 are needed (50 more)"
    )


def test_events_out_of_order_are_sorted_and_equal_times_are_fine(tmp_path: Path) -> None:
    lines = events_csv().splitlines()
    backwards = read_tables(write(tmp_path, events_csv="\n".join([lines[0], *lines[:0:-1]])))
    assert backwards.times_s.tolist() == sorted(backwards.times_s.tolist())
    flat = [",".join([*line.split(",")[:3], "5"]) for line in lines[1:]]
    same = read_tables(write(tmp_path, events_csv="\n".join([lines[0], *flat])))
    assert set(same.times_s.tolist()) == {5.0}


def test_without_a_value_column_every_event_counts_one(tmp_path: Path) -> None:
    dataset = read_tables(write(tmp_path, PLAIN.replace(" value: stars,", ""), events_csv=events_csv()))
    assert set(dataset.values.tolist()) == {1.0}


def test_strict_tables_leave_strangers_out_and_others_let_them_in(tmp_path: Path) -> None:
    people = "who\n" + "".join(f"{n:03d}\n" for n in range(12))
    schema = PLAIN + "users: {path: people.csv, id: who, strict: true}"
    path = write(tmp_path, schema, events_csv=events_csv(extra="new,i1,1,1\n"), people_csv=people)
    strict = read_tables(path)
    assert "new" not in strict.user_ids
    assert strict.report.skipped[0].reason == "user id is not in the users table"
    assert "new" in read_tables(write(tmp_path, schema.replace(", strict: true", ""))).user_ids


def test_the_first_of_two_rows_about_a_user_counts(tmp_path: Path) -> None:
    people = "who,country\n" + "".join(f"{n:03d},de\n" for n in range(40)) + "000,fr\n"
    schema = PLAIN + "users: {path: people.csv, id: who, attributes: {country: categorical}}"
    dataset = read_tables(write(tmp_path, schema, events_csv=events_csv(), people_csv=people))
    assert dataset.users.row(0) == ("000", "de")
    assert dataset.report.skipped[0].reason == "repeats the id of an earlier row"
    assert dataset.report.skipped[0].samples == ("people.csv:42: '000'",)


def parquet_events(folder: Path, users: pl.Series) -> Path:
    n = 144
    frame = pl.DataFrame(
        {
            "who": users,
            "what": [i % 12 for i in range(n)],
            "stars": [float(i % 5) for i in range(n)],
            "at": [datetime(2024, 1, 1, 0, i // 60, i % 60) for i in range(n)],  # noqa: DTZ001
        }
    )
    frame.write_parquet(folder / "events.parquet")
    return write(folder, PLAIN.replace("events.csv", "events.parquet"))


def test_parquet_is_read_with_its_own_types(tmp_path: Path) -> None:
    dataset = read_tables(parquet_events(tmp_path, pl.Series([i // 12 + 7 for i in range(144)])))
    assert dataset.user_ids[0] == "10"
    assert dataset.item_ids[:3] == ("0", "1", "10")
    assert dataset.times_s[0] == datetime(2024, 1, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("moment", [2**62, -(2**62), 253_402_300_800_000_000])
def test_times_outside_of_the_calendar_are_left_out_and_shown(tmp_path: Path, moment: int) -> None:
    path = parquet_events(tmp_path, pl.Series([i // 12 for i in range(144)]))
    frame = pl.read_parquet(tmp_path / "events.parquet")
    odd = frame.head(1).with_columns(at=pl.lit(moment).cast(pl.Datetime("us")))
    pl.concat([frame, odd]).write_parquet(tmp_path / "events.parquet")
    dataset = read_tables(path)
    assert dataset.events == 144
    assert dataset.report.skipped[0].reason.startswith("time is not between 1900 and 2200")
    assert str(moment) in dataset.report.skipped[0].samples[0]


@pytest.mark.parametrize("beyond", [2**62, -(2**62), 253_402_300_800_000_000])
def test_an_attribute_may_be_any_time_of_the_calendar_and_others_are_counted_and_shown(
    tmp_path: Path, beyond: int
) -> None:
    path = parquet_events(tmp_path, pl.Series([i // 12 for i in range(144)]))
    day = datetime(1891, 1, 20, tzinfo=UTC)
    out = pl.Series([day, None] + [None] * 10, dtype=pl.Datetime("us", "UTC"))
    items = pl.DataFrame({"isbn": range(12), "out": out}).with_columns(
        out=pl.when(isbn=1).then(pl.lit(beyond).cast(out.dtype)).otherwise("out")
    )
    items.write_parquet(tmp_path / "items.parquet")
    path.write_text(path.read_text() + "items: {path: items.parquet, id: isbn, attributes: {out: time}}\n")
    dataset = read_tables(path)
    assert dataset.items.filter(pl.col("item_id").is_in(["0", "1"]))["out"].to_list() == [day, None]
    assert [s.reason for s in dataset.report.skipped] == ["out is not between 1 and 9999 when read as iso8601"]
    assert str(beyond) in dataset.report.skipped[0].samples[0]


def test_what_is_too_long_for_a_feature_store_is_left_out_of_its_user(tmp_path: Path) -> None:
    path = parquet_events(tmp_path, pl.Series([i // 12 for i in range(144)]))
    pl.DataFrame({"who": range(2), "land": ["ü" * 512, "ü" * 513]}).write_parquet(tmp_path / "users.parquet")
    users = "users: {path: users.parquet, id: who, attributes: {land: categorical}}\n"
    path.write_text(path.read_text() + users)
    dataset = read_tables(path)
    assert dataset.users.filter(pl.col("user_id").is_in(["0", "1"]))["land"].to_list() == ["ü" * 512, None]
    assert [(s.reason, s.count) for s in dataset.report.skipped] == [("land is longer than 1024 bytes", 1)]
    path.write_text(path.read_text().replace("land: cat", f"{'l' * 65}: cat"))
    with pytest.raises(DataRefused, match="a name has 1 to 64 bytes"):
        read_tables(path)


def test_what_is_yet_to_happen_is_left_out_as_a_feature_store_would_refuse_it(tmp_path: Path) -> None:
    path = parquet_events(tmp_path, pl.Series([i // 12 for i in range(144)]))
    frame = pl.read_parquet(tmp_path / "events.parquet")
    ahead = frame.head(1).with_columns(at=pl.lit(datetime.now(UTC) + timedelta(days=1)).dt.replace_time_zone(None))
    pl.concat([frame, ahead.cast(frame.schema)]).write_parquet(tmp_path / "events.parquet")
    dataset = read_tables(path)
    assert dataset.events == 144
    assert [(s.reason, s.count, s.is_bad) for s in dataset.report.skipped] == [("time is in the future", 1, True)]


def test_float_ids_of_parquet_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataRefused, match=r"144 x user id is a Float64, not text or a whole number \(events.parquet:1: "
    ):
        read_tables(parquet_events(tmp_path, pl.Series([float(i // 12) for i in range(144)])))


def test_multi_valued_attributes_may_be_lists_in_parquet(tmp_path: Path) -> None:
    things = pl.DataFrame({"sku": ["i1", "i2"], "tags": [["b", " a", "b", ""], None], "blob": [b"x", b"y"]})
    things.write_parquet(tmp_path / "things.parquet")
    schema = PLAIN + "items: {path: things.parquet, id: sku, attributes: {tags: multi}}"
    dataset = read_tables(write(tmp_path, schema, events_csv=events_csv()))
    assert dataset.items.row(by_predicate=pl.col("item_id") == "i1")[1] == ["a", "b"]
    with pytest.raises(DataRefused, match=r"column 'blob' \(items.attributes.blob\) is Binary"):
        read_tables(write(tmp_path, schema.replace("tags: multi", "blob: categorical")))


@pytest.mark.parametrize(
    "content", [b"", b"rubbish", b"PAR1" + b"\x00" * 40 + b"PAR1", b"who,what,stars,at\n1,2,3,4\n"]
)
def test_what_is_no_parquet_is_refused(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, PLAIN.replace("events.csv", "events.parquet"), events_parquet=content)
    with pytest.raises(DataRefused, match="is not a Parquet file") as refused:
        read_tables(path)
    assert "\n" not in str(refused.value)


def test_a_parquet_file_with_damaged_pages_is_refused(tmp_path: Path) -> None:
    path = parquet_events(tmp_path, pl.Series([i // 12 for i in range(144)]))
    whole = (tmp_path / "events.parquet").read_bytes()
    for position in range(4, len(whole) - 8, 41):
        (tmp_path / "events.parquet").write_bytes(whole[:position] + b"\xff\x80\xff" + whole[position + 3 :])
        with contextlib.suppress(DataRefused):  # some damage only changes values; none may raise anything else
            read_tables(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "events.csv is empty"),
        (bytes(range(256)) * 9, "is not text"),
        (events_csv().replace(",", ";").encode(), r"has no column 'who' \(interactions.user\).*is `delimiter` right"),
        (events_csv(header="who,what,rating,at").encode(), r"no column 'stars' \(interactions.value\); it has 'who'"),
        (b"who,what,stars,at\n", "0 users with events where 10 are needed"),
        (events_csv().encode("utf-16"), "UTF-16"),
    ],
    ids=["empty", "binary", "delimiter", "column", "header only", "utf-16"],
)
def test_files_that_are_no_tables_are_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataRefused, match=message) as refused:
        read_tables(write(tmp_path, events_csv=content))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: "\n".join(",".join(f'"{f}"' for f in r.split(",")) for r in text.splitlines()).encode(),
    ],
    ids=["bom", "crlf", "quoted"],
)
def test_the_same_table_in_other_dress_is_the_same_data_set(tmp_path: Path, change: object) -> None:
    plain = read_tables(write(tmp_path, events_csv=events_csv()))
    dressed = read_tables(write(tmp_path, events_csv=change(events_csv())))  # type: ignore[operator]
    assert dressed.user_ids == plain.user_ids
    assert dressed.values.tolist() == plain.values.tolist()
    assert dressed.report.skipped == ()


def test_semicolons_tabs_and_latin_1_are_read_where_the_schema_says_so(tmp_path: Path) -> None:
    content = events_csv().replace("000,", "Zo\u00eb,").replace(",", ";").encode("latin-1")
    schema = PLAIN.replace("events.csv,", 'events.csv, delimiter: ";", encoding: latin-1,')
    assert "Zo\u00eb" in read_tables(write(tmp_path, schema, events_csv=content)).user_ids
    tabs = write(tmp_path, PLAIN.replace(".csv", ".tsv"), events_tsv=events_csv().replace(",", "\t"))
    assert read_tables(tabs).events == 144


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("", "should be a mapping with the keys name, interactions"),
        ("- a\n- b\n", "should be a mapping"),
        ("name: [\n", r"schema.yaml:\d+ is not YAML"),
        ("a: b: c\n", r"schema.yaml:1 is not YAML"),
        ("name: shop\n", "interactions: is required"),
        (PLAIN + "colour: red\n", "colour: there is no such key; allowed: name, interactions, users, items, limits"),
        (PLAIN.replace("stars,", "stars, weight: w,"), "interactions.weight: there is no such key; allowed: path,"),
        (PLAIN.replace("time: at", "time: {column: at, zone: cet}"), "interactions.time.zone.*allowed: column, format"),
        (
            PLAIN.replace("time: at", "time: {column: at, format: days}"),
            "interactions.time.format: .*'seconds', 'milliseconds' or 'iso8601', found 'days'",
        ),
        (PLAIN.replace("name: shop", "name: ../shop"), "name: string should match pattern"),
        (PLAIN.replace("user: who", "user: 7"), "interactions.user: input should be a valid string, found 7"),
        (PLAIN.replace("events.csv", "events.xlsx"), "add format: csv or format: parquet"),
        (PLAIN + "limits: {bad_share: 2}\n", "limits.bad_share: .*less than or equal to 1, found 2"),
        (
            PLAIN + "items: {path: a.csv, id: b, attributes: {x: text}}\n",
            "items.attributes.x.kind: .*'categorical', 'multi', 'number', 'flag' or 'time', found 'text'",
        ),
        (PLAIN + "items: {path: a.csv, id: b, attributes: {x: {kind: number, unit: m}}}\n", "allowed: kind, separator"),
        (
            PLAIN + "items: {path: a.csv, id: b, attributes: {title: categorical}}\n",
            "items: attributes may not be called title",
        ),
        (PLAIN + "users: {path: a.csv, id: b, attributes: {age: number}}\n", "users can have categorical ones"),
        ("name: !!python/object/apply:os.system ['true']\n", "is not YAML"),
    ],
)
def test_a_wrong_schema_names_the_key_and_what_is_allowed(tmp_path: Path, schema: str, message: str) -> None:
    with pytest.raises(DataRefused, match=message) as refused:
        read_tables(write(tmp_path, schema, events_csv=events_csv()))
    assert "schema.yaml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match=r"nowhere.yaml: No such file"):
        read_tables(tmp_path / "nowhere.yaml")
    with pytest.raises(DataRefused, match=r"events.csv: No such file"):
        read_tables(write(tmp_path))
    (tmp_path / "schema.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataRefused, match="not text in UTF-8"):
        read_tables(tmp_path / "schema.yaml")
