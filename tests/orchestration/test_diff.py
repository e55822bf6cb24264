"""Two states compared: what is said of rows is true, and what is masked is never said."""

import random
from collections import Counter

import pytest

from orchestration.history import version_diff
from orchestration.history.diff import Change, Difference, compare
from orchestration.warehouse import Warehouse

A, B = ("was", "t"), ("now", "t")


class Pair:
    """Two schemas with a table t in each."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.run("create schema was; create schema now")

    def run(self, *statements: str) -> None:
        with self.warehouse.session() as session, session.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def make(self, columns: str, was: str, now: str, *more: str) -> None:
        """The table on both sides, filled and with its indexes; {s} in `more` is the schema."""
        for schema, values in (("was", was), ("now", now)):
            self.run(f"create table {schema}.t ({columns})")
            if values:
                self.run(f"insert into {schema}.t values {values}")
            self.run(*(statement.replace("{s}", schema) for statement in more))

    def compare(self, *masked: str, limit: int = 5) -> Difference:
        with self.warehouse.session() as session, session.cursor() as cursor:
            return compare(cursor, A, B, masked, limit)


@pytest.fixture
def pair(warehouse: Warehouse) -> Pair:
    return Pair(warehouse)


def counts(found: Difference) -> tuple[int, int, int, int]:
    return found.added, found.removed, found.changed, found.unchanged


def test_identical_tables_are_identical(pair: Pair) -> None:
    rows = "(1, 'a', null), (2, null, 2.5)"
    pair.make("id int primary key, name text, n numeric", rows, rows)
    found = pair.compare()
    assert found.identical
    assert counts(found) == (0, 0, 0, 2)
    assert found.match_rates == {"name": 1.0, "n": 1.0}
    assert (found.added_rows, found.removed_rows, found.changes) == ((), (), ())


def test_rows_are_told_apart_by_key_and_columns_by_value(pair: Pair) -> None:
    was = "(1, 'a', 1), (2, 'b', null), (3, 'c', 3), (4, 'd', 4), (5, null, 5)"
    now = "(1, 'a', 1), (2, 'b', 2), (3, 'x', null), (5, null, 5), (6, 'f', 6), (7, 'g', 7)"
    pair.make("id int primary key, name text, n int", was, now)
    found = pair.compare()
    assert not found.identical
    assert (found.key, found.rows_a, found.rows_b) == (("id",), 5, 6)
    assert counts(found) == (2, 1, 2, 2)
    assert found.match_rates == {"name": 0.75, "n": 0.5}
    assert found.added_rows == ({"id": "6"}, {"id": "7"})
    assert found.removed_rows == ({"id": "4"},)
    assert found.changes == (
        Change({"id": "2"}, {"n": (None, "2")}),
        Change({"id": "3"}, {"name": ("c", "x"), "n": ("3", None)}),
    )


@pytest.mark.parametrize("seed", range(4))
def test_what_is_counted_is_what_a_person_with_patience_would_count(pair: Pair, seed: int) -> None:
    dice = random.Random(seed)

    def rows() -> dict[tuple[int, str], tuple[int | None, str | None]]:
        return {
            (n, kind): (dice.choice([None, 1, 2]), dice.choice([None, "", "x"]))
            for n in range(30) for kind in "ab" if dice.random() < 0.7
        }  # fmt: skip

    was, now = rows(), rows()
    with pair.warehouse.session() as session, session.cursor() as cursor:
        for schema, table in (("was", was), ("now", now)):
            cursor.execute(f"create table {schema}.t (kind text, v int, w text, n int)")
            cursor.execute(f"create unique index on {schema}.t (n, kind)")
            cursor.executemany(
                f"insert into {schema}.t values (%s, %s, %s, %s)",
                [(kind, *values, n) for (n, kind), values in table.items()],
            )
    both = was.keys() & now.keys()
    found = pair.compare(limit=1000)
    assert found.key == ("n", "kind")
    changed = {key for key in both if was[key] != now[key]}
    assert counts(found) == (len(now.keys() - both), len(was.keys() - both), len(changed),
                             len(both - changed))  # fmt: skip
    assert found.match_rates == pytest.approx({
        name: sum(was[key][i] == now[key][i] for key in both) / len(both)
        for i, name in enumerate(("v", "w"))
    })  # fmt: skip
    assert {(int(row["n"]), row["kind"]) for row in found.added_rows} == now.keys() - both
    assert {(int(row["n"]), row["kind"]) for row in found.removed_rows} == was.keys() - both
    assert {(int(c.key["n"]), c.key["kind"]) for c in found.changes} == changed

    pair.run("drop index was.t_n_kind_idx; drop index now.t_n_kind_idx")
    whole_was, whole_now = (Counter((k, *v) for k, v in rows.items()) for rows in (was, now))
    found = pair.compare()
    assert found.key == ()
    assert counts(found) == ((whole_now - whole_was).total(), (whole_was - whole_now).total(), 0,
                             (whole_was & whole_now).total())  # fmt: skip


def test_the_primary_key_goes_before_other_unique_indexes(pair: Pair) -> None:
    pair.make("id int, code text", "(1, 'a')", "(1, 'b')",
              "create unique index on {s}.t (code)",
              "alter table {s}.t add primary key (id)")  # fmt: skip
    found = pair.compare()
    assert (found.key, found.changed) == (("id",), 1)


@pytest.mark.parametrize(
    "index", ["unique index on {s}.t (id) where id > 0", "unique index on {s}.t (abs(id))",
              "index on {s}.t (id)"],
)  # fmt: skip
def test_an_index_that_holds_not_each_row_once_is_no_key(pair: Pair, index: str) -> None:
    pair.make("id int, n int", "(1, 1)", "(1, 2)", f"create {index}")
    found = pair.compare()
    assert (found.key, counts(found)) == ((), (1, 1, 0, 0))


def test_included_columns_are_not_part_of_the_key(pair: Pair) -> None:
    pair.make("id int, n int", "(1, 1)", "(1, 2)", "create unique index on {s}.t (id) include (n)")
    assert pair.compare().key == ("id",)


def test_a_key_that_one_side_alone_has_will_do_if_it_is_one(pair: Pair) -> None:
    pair.make("id int, n int", "(1, 1), (2, 2)", "(1, 1), (2, 3)")
    pair.run("alter table now.t add primary key (id)")
    assert (pair.compare().key, pair.compare().changed) == (("id",), 1)
    pair.run("insert into was.t values (2, 2)")
    found = pair.compare()
    assert found.key == (), "2 stands twice on the other side"
    assert counts(found) == (1, 2, 0, 1)


def test_rows_whose_key_is_null_are_not_lost(pair: Pair) -> None:
    pair.make("id int, part int, n int", "(1, null, 1), (1, null, 2), (2, 2, 2)",
              "(1, null, 1), (1, null, 2), (2, 2, 3)",
              "create unique index on {s}.t (id, part)")  # fmt: skip
    found = pair.compare()
    assert (found.key, counts(found)) == ((), (1, 1, 0, 2))


def test_without_a_key_whole_rows_are_counted(pair: Pair) -> None:
    pair.make("n int, name text", "(1, 'a'), (1, 'a'), (1, 'a'), (2, null)",
              "(1, 'a'), (2, null), (2, null), (3, 'c')")  # fmt: skip
    found = pair.compare()
    assert (found.rows_a, found.rows_b, counts(found)) == (4, 4, (2, 2, 0, 2))
    assert found.added_rows == ({"row": "(2,)"}, {"row": "(3,c)"})
    assert found.removed_rows == ({"row": "(1,a)"},)
    assert found.match_rates == {}


def test_a_table_and_a_view_can_be_compared(pair: Pair) -> None:
    pair.run("create table was.t (id int primary key, n int)", "insert into was.t values (1, 1)",
             "create view now.t as select 1 as id, 2 as n union all select 2, 2")  # fmt: skip
    found = pair.compare()
    assert (found.key, counts(found)) == (("id",), (1, 0, 1, 0))
    pair.run("drop table was.t", "create view was.t as select 1 as id, 2 as n")
    assert (pair.compare().key, counts(pair.compare())) == ((), (1, 0, 0, 1))


def test_other_columns_are_listed_and_the_rest_is_compared(pair: Pair) -> None:
    pair.run("create table was.t (id int primary key, gone int, n int, same text, wide varchar(5))",
             "create table now.t (new date, same text, n bigint, id int primary key, "
             "wide varchar(9))",
             "insert into was.t values (1, 1, 1, 'a', 'w')",
             "insert into now.t values (now(), 'b', 1, 1, 'w')")  # fmt: skip
    found = pair.compare()
    assert (found.only_a, found.only_b) == (("gone",), ("new",))
    assert found.retyped == {
        "n": ("integer", "bigint"),
        "wide": ("character varying(5)", "character varying(9)"),
    }
    assert found.match_rates == {"same": 0.0}
    pair.run("update now.t set same = 'a'")
    assert pair.compare().changed == 0
    assert not pair.compare().identical, "the columns differ"


def test_a_key_whose_type_changed_is_none(pair: Pair) -> None:
    pair.make("id int primary key, n int", "(1, 1), (2, 1)", "(1, 1), (2, 2)")
    pair.run("alter table now.t alter id type bigint")
    found = pair.compare()
    assert (found.key, list(found.retyped)) == ((), ["id"])
    assert counts(found) == (1, 1, 0, 1)


def test_masked_values_are_compared_and_never_shown(pair: Pair) -> None:
    was = "('secret1', 'secret2', 1), ('secret3', 'secret4', 1), ('secret8', null, 2)"
    now = "('secret1', 'secret5', 1), ('secret6', 'secret7', 1), ('secret8', null, 3)"
    pair.make("id text primary key, name text, n int", was, now)
    found = pair.compare("id", "name")
    assert counts(found) == (1, 1, 2, 0)
    assert "secret" not in repr(found)
    assert Change({"id": "***"}, {"name": ("***", "***")}) in found.changes
    assert Change({"id": "***"}, {"n": ("2", "3")}) in found.changes
    for schema in ("was", "now"):
        pair.run(f"alter table {schema}.t drop constraint t_pkey")
    found = pair.compare("id", "name")
    assert counts(found) == (3, 3, 0, 0), "rows that differ in what is masked alone differ"
    assert found.added_rows[0] == {"row": "(***,***,1)"}
    assert "secret" not in repr(found)


def test_no_more_samples_come_than_were_asked_for(pair: Pair) -> None:
    was, now = (", ".join(f"({n}, {n % m})" for n in r) for r, m in
                ((range(20), 2), (range(10, 40), 3)))  # fmt: skip
    pair.make("id int primary key, n int", was, now)
    for limit in (0, 3):
        found = pair.compare(limit=limit)
        assert (found.added, found.removed) == (20, 10)
        shown = (found.added_rows, found.removed_rows, found.changes)
        assert [len(rows) for rows in shown] == [limit] * 3
    assert [row["id"] for row in found.added_rows] == ["20", "21", "22"], "the lowest keys"


def test_names_may_be_anything(pair: Pair) -> None:
    odd = '"per % cent" int primary key, "{curly}" text, "say ""hi""; --" text, "a" int, "t" int'
    pair.make(odd, "(1, 'x', 'y', 1, 1)", "(1, 'x', 'z', 2, 1)")
    (change,) = pair.compare().changes
    assert change == Change({"per % cent": "1"}, {'say "hi"; --': ("y", "z"), "a": ("1", "2")})


def test_types_that_cannot_be_compared_are_compared_as_text(pair: Pair) -> None:
    was = """(1, '{"a": 1}', '{"a": 1}', '(1,2)', '{1,null}')"""
    now = """(1, '{"a": 2}', '{"a":   1}', '(1,2)', '{1,null}')"""
    pair.make("id int primary key, j json, jb jsonb, p point, l int[]", was, now)
    found = pair.compare()
    assert found.match_rates == {"j": 0.0, "jb": 1.0, "p": 1.0, "l": 1.0}


def test_a_table_of_nothing_but_its_key_and_one_of_nothing_at_all(pair: Pair) -> None:
    pair.make("id int primary key", "(1), (2)", "(2), (3)")
    assert counts(pair.compare()) == (1, 1, 0, 1)
    pair.run("drop table was.t; drop table now.t")
    pair.make("id int primary key, n int", "", "")
    found = pair.compare()
    assert found.identical
    assert (counts(found), found.match_rates) == ((0, 0, 0, 0), {})


def test_in_words_it_says_what_differs_and_never_rounds_a_difference_away(pair: Pair) -> None:
    pair.run("create table was.t (id int primary key, n int, gone int, wide int)",
             "create table now.t (id int primary key, n int, wide bigint)",
             "insert into was.t select i, i, i, i from generate_series(1, 30000) as i",
             "insert into now.t select id, nullif(n, 5), wide from was.t where id > 1",
             "insert into now.t values (-1, -1, -1)")  # fmt: skip
    assert version_diff.headline(pair.compare()) == "1 added, 1 removed, 1 changed of 30,000"
    assert list(version_diff.details(pair.compare())) == [
        "columns removed: gone",
        "column wide was integer, is bigint: not compared",
        "n: 99.99 % match",
        "+ id -1",
        "- id 1",
        "~ id 5: n 5 -> null",
    ]
