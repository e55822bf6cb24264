"""Rows of any shape are written anew for their contract; no digit and no letter is lost."""

import json
import random
from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest

from ingestion.contract import Column, Contract
from ingestion.declared.shape import column_name, reshape
from ingestion.sift import sift
from tests.ingestion.rows import page

TYPES = {"w": "whole", "d": "decimal", "f": "float", "t": "text", "b": "boolean", "j": "json",
         "at": "timestamp", "day": "date"}  # fmt: skip
ODD = Contract(
    "odd", ("w",),
    tuple(Column(name, type_, nullable=True, digits=(38, 9)) for name, type_ in TYPES.items()),
)  # fmt: skip
ZONED = Contract("odd", (), (Column("at", "timestamp", zoned=True),))


def kept(raw: str, contract: Contract = ODD) -> tuple:
    """The one column of the row as raw has it, or what was said against it."""
    shaped, extended = reshape(page(raw.encode()), contract)
    assert reshape(shaped, extended)[0].rows == shaped.rows, "the second time changes nothing"
    sifted = sift(shaped, extended)
    if sifted.breaches:
        return (sifted.breaches[0].path, sifted.breaches[0].kind)
    (name,) = json.loads(bytes(shaped.rows[0]))
    return tuple(sifted.tables["odd"][name].to_pylist())


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ('{"w": 9223372036854775807}', 2**63 - 1), ('{"w": -0}', 0), ('{"w": 1e5}', 100_000),
        ('{"w": 5.0}', 5), ('{"w": "17"}', 17), ('{"w": -12E1}', -120), ('{"w": null}', None),
        ('{"d": 0.1}', Decimal("0.1")), ('{"d": 12345678901234567890.123456789}',
                                         Decimal("12345678901234567890.123456789")),
        ('{"d": 1e5}', Decimal(100_000)), ('{"d": "-1.50"}', Decimal("-1.5")),
        ('{"f": 0.30000000000000004}', 0.1 + 0.2), ('{"f": 5e-324}', 5e-324), ('{"f": 1}', 1.0),
        ('{"t": "\\u00e9\\ud83d\\ude00 \\"x\\" \\\\u0000"}', 'é😀 "x" \\u0000'), ('{"t": ""}', ""),
        ('{"b": true}', True), ('{"b": null}', None),
        ('{"j": 1.10}', "1.10"), ('{"j": {"a": [1, null]}}', '{"a": [1, null]}'),
        ('{"j": "plain"}', "plain"), ('{"j": []}', "[]"), ('{"j": false}', "false"),
        ('{ "w" :\n 7 }', 7),
    ],
)  # fmt: skip
def test_a_value_comes_as_it_was_sent(raw, value):
    assert kept(raw) == (value,)


@pytest.mark.parametrize(
    ("raw", "path", "kind"),
    [
        ('{"w": 9223372036854775808}', "w", "value"), ('{"w": 1.5}', "w", "value"),
        ('{"w": 1e99}', "w", "value"), ('{"w": true}', "w", "changed"),
        ('{"w": {"a": 1}}', "w", "changed"), ('{"w": "seven"}', "w", "value"),
        ('{"f": "NaN"}', "f", "value"), ('{"f": 1e999}', "f", "value"),
        ('{"d": 0.0000000001}', "d", "value"), ('{"t": 5}', "t", "changed"),
        ('{"t": ["x"]}', "t", "changed"), ('{"b": 1}', "b", "changed"),
        ('{"at": "2024-01-01T00:00:00Z"}', "at", "value"),
        ('{"day": "2024-02-30"}', "day", "value"),
        ('{"new": 5}', "new", "unknown"), ('{"w": 1, "W": 2}', "w (from W)", "unknown"),
        ('{"t": "\\u0000"}', "t", "value"),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_left_for_the_contract_to_refuse(raw, path, kind):
    assert kept(raw) == (f"column {path}", kind)


@pytest.mark.parametrize(
    ("said", "utc"),
    [
        ("2024-03-31T01:59:59Z", "2024-03-31 01:59:59"),
        ("2024-03-31T03:00:00+02:00", "2024-03-31 01:00:00"),  # the first second of summer time
        ("2024-10-27T02:30:00+02:00", "2024-10-27 00:30:00"),
        ("2024-10-27T02:30:00+01:00", "2024-10-27 01:30:00"),  # the same hour once more
        ("2024-01-01 00:00:00.1234567+0530", "2023-12-31 18:30:00.123456"),
        ("0001-01-01T00:00:00Z", "0001-01-01 00:00:00"),
    ],
)
def test_a_time_with_a_zone_is_kept_in_utc(said, utc):
    (moment,) = kept(json.dumps({"at": said}), ZONED)
    assert str(moment) == utc


def test_a_time_without_the_zone_that_is_promised_is_refused():
    assert kept('{"at": "2024-01-01T00:00:00"}', ZONED) == ("column at", "value")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (("userName",), "user_name"), (("requester", "customerId"), "requester__customer_id"),
        (("_id",), "_id"), (("_page",), "api_page"), (("_dlt_id",), "api_dlt_id"),
        (("a__b",), "a__b"), (("@type",), "atype"), (("ID",), "id"), (("",), ""),
        (("Straße 1",), "stra_e_1"),
    ],
)  # fmt: skip
def test_names_are_made_as_dlt_makes_them(path, name):
    assert column_name(path) == name


def test_a_name_is_never_longer_than_postgres_allows():
    names = {column_name(("a" * 40, f"{'b' * 40}{end}")) for end in "xyz"}
    assert len(names) == 3
    assert max(map(len, names)) <= 63


def test_objects_are_flat_and_lists_are_children_however_deep():
    deep = Contract("deep", (), (Column("value", "whole"),))
    inner = Contract("inner", (), (Column("x__y", "whole"),), (("value", deep),))
    outer = Contract("odd", (), (Column("a__b__c", "text", True),), (("a__list", inner),))
    row = '{"a": {"b": {"c": "x"}, "list": [{"x": {"y": 1}, "value": [1, 2]}, {"x": {"y": 2}}]}}'
    shaped, _ = reshape(page(row.encode(), b'{"a": null}', b"{}"), outer)
    assert [json.loads(bytes(row)) for row in shaped.rows] == [
        {"a__b__c": "x", "a__list": [{"x__y": "1", "value": [{"value": "1"}, {"value": "2"}]},
                                     {"x__y": "2", "value": []}]},
        {"a__list": []}, {"a__list": []},
    ]  # fmt: skip


def test_a_list_in_a_list_is_a_child_of_a_child():
    cells = Contract("cells", (), (Column("value", "whole"),))
    lines = Contract("lines", (), (Column("note", "text", True),), (("value", cells),))
    grid = Contract("odd", ("id",), (Column("id", "whole"),), (("grid", lines),))
    sifted = sift(*reshape(page(b'{"id": 1, "grid": [[1, 2], [], [3]]}'), grid))
    assert not sifted.breaches
    assert sifted.tables["lines"].num_rows == 3
    assert sifted.tables["cells"]["value"].to_pylist() == [1, 2, 3]
    root = sifted.tables["odd"]["_dlt_id"][0].as_py()
    assert sifted.tables["cells"]["_dlt_parent_id"].to_pylist() == [
        f"{root}-{i}" for i in (0, 0, 2)
    ]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_is_kept_whole_or_refused(seed):
    """Of rows made at random, every scalar is found again as text where columns may be added."""
    rng = random.Random(seed)

    def value(depth: int):
        leaves = [None, True, rng.randrange(-(10**20), 10**20), rng.random(), "x\ty", "", "é"]
        if depth and rng.random() < 0.4:
            return {rng.choice(["a", "B", "c d", "_x", "e__f"]): value(depth - 1) for _ in range(3)}
        return rng.choice(leaves)

    def leaves(made) -> list[str]:
        if isinstance(made, dict):
            return [leaf for each in made.values() for leaf in leaves(each)]
        texts = {True: "true", None: None}
        return [made if isinstance(made, str) else texts.get(made, json.dumps(made))]

    rows = [{name: value(3) for name in ("p", "q", "Ré")} for _ in range(30)]
    loose = Contract("odd", (), (Column("w", "whole", nullable=True),), unknown="evolve")
    sifted = sift(*reshape(page(*rows), loose))
    broken = {breach.row for breach in sifted.breaches}
    good = [row for number, row in enumerate(rows, 1) if number not in broken]
    found = sifted.tables["odd"].drop_columns(["w", "_dlt_id"]).to_pylist()
    for row, sent in zip(found, good, strict=True):
        texts = sorted(leaf for leaf in leaves(sent) if leaf is not None)
        assert sorted(text for text in row.values() if text is not None) == texts


def test_what_is_no_object_is_left_for_the_contract_to_refuse():
    rows = [b"5", b"null", b'"x"', b"[]", b'{"w": 1', b'{"w": 1, "new": 2}']
    shaped, extended = reshape(page(*rows), replace(ODD, unknown="evolve"))
    assert shaped.rows[:5] == [msgspec.Raw(row) for row in rows[:5]]
    assert [breach.row for breach in sift(shaped, extended).breaches] == [1, 2, 3, 4, 5]
