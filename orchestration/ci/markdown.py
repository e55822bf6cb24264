"""The report of a CI job as Markdown: for a terminal, a job's summary, a comment, a file."""

import re
from collections.abc import Iterable, Iterator

from orchestration.ci.findings import Cost, Report, in_rows, percent
from orchestration.errors import without_values
from orchestration.history.diff import Difference, Row
from orchestration.history.version_diff import headline

MOST = 60_000  # characters: a comment on GitHub may have 65,536
LONGEST = 120  # characters of a value
CLOSED, OPEN = "❌", "✅"


def as_markdown(report: Report) -> str:
    """The whole report; cut, and saying so, where it would not fit into a comment."""
    parts = (_head, _notes, _breaking, _rows, _tests, _lint, _impact, _cost)
    text = "\n".join(line for part in parts for line in part(report)) + "\n"
    if len(text) <= MOST:
        return text
    return text[:MOST].rpartition("\n")[0] + "\n\n*Cut here: `ecluse ci --json` has all of it.*\n"


def _head(report: Report) -> Iterator[str]:
    verdict = f"{CLOSED} not to be merged" if report.objections else f"{OPEN} may be merged"
    yield f"## Écluse: {verdict}"
    yield ""
    for each in report.objections:
        yield f"- {CLOSED} {_plain(each.said)}"
    for each in report.allowed:
        yield f"- ⚠️ allowed ({each.kind}): {_plain(each.said)}"
    yield from [""] if report.objections or report.allowed else []
    changed = ", ".join(f"`{name}`" for name in report.changed) or "no model"
    against = f"version {report.version}" if report.version else "nothing"
    commit = f" (commit {report.base_commit[:9]})" if report.base_commit else ""
    as_of = f", both as of load `{report.as_of}`" if report.as_of else ""
    yield f"Built: {changed}. Compared with {against}{commit}{as_of}. {report.seconds:.0f} s."


def _notes(report: Report) -> Iterator[str]:
    for note in report.notes:
        yield from ("", f"> {_plain(note)}")


def _breaking(report: Report) -> Iterator[str]:
    if report.breaking:
        yield from ("", "### What readers would miss", "")
    for each in report.breaking:
        readers = ", ".join(f"`{name}`" for name in each.readers)
        yield f"- `{each.label}` {_plain(each.said)}" + (f"; read by {readers}" if readers else "")


def _rows(report: Report) -> Iterator[str]:
    differing = {mart: found for mart, found in report.marts.items() if not found.identical}
    same = [mart for mart in report.marts if mart not in differing]
    if report.marts or report.new:
        yield from ("", "### What readers would see", "")
    if differing:
        yield from _table(
            ("mart", "rows", "added", "removed", "changed", "columns that differ"),
            ((f"`{mart}`", f"{found.rows_a:,} → {found.rows_b:,}", f"{found.added:,}",
              f"{found.removed:,}", f"{found.changed:,}" if found.key else "",
              ", ".join(_rates(found))) for mart, found in differing.items()),
        )  # fmt: skip
    for mart, count in report.new.items():
        yield f"- `{mart}` is new, {count:,} rows"
    if same:
        yield from ("", f"Identical: {', '.join(f'`{mart}`' for mart in same)}.")
    for mart, found in differing.items():
        yield from _samples(mart, found)


def _rates(found: Difference) -> Iterator[str]:
    """Match rates below 100 %, columns that came and went."""
    for name, rate in found.match_rates.items():
        if rate < 1:
            yield f"`{name}` {percent(rate)} match"
    for word, names in (("gone", found.only_a), ("new", found.only_b)):
        yield from (f"`{name}` {word}" for name in names)
    yield from (f"`{name}` {old} → {new}" for name, (old, new) in found.retyped.items())


def _samples(mart: str, found: Difference) -> Iterator[str]:
    if not (found.added or found.removed or found.changed):
        return
    yield from ("", f"<details><summary>{mart}: {headline(found)}</summary>", "")
    for word, count, rows in (
        ("removed", found.removed, found.removed_rows), ("added", found.added, found.added_rows)
    ):  # fmt: skip
        if rows:
            yield from ("", f"{_some(len(rows), count)} {word}:", "", *_of_rows(rows))
    if found.changes:
        yield from ("", f"{_some(len(found.changes), found.changed)} changed:", "")
        yield from _table(
            (*found.key, "column", "before", "now"),
            ((*map(_value, change.key.values()), f"`{name}`", _value(old), _value(new))
             for change in found.changes for name, (old, new) in change.columns.items()),
        )  # fmt: skip
    yield from ("", "</details>")


def _some(shown: int, of: int) -> str:
    return f"{of:,}" if shown == of else f"{shown:,} of {of:,}"


def _of_rows(rows: tuple[Row, ...]) -> Iterator[str]:
    return _table(tuple(rows[0]), (map(_value, row.values()) for row in rows))


def _tests(report: Report) -> Iterator[str]:
    if not report.tests and not report.broken:
        return
    counts = {word: len(report.of_status(*statuses)) for word, statuses in {
        "passed": ("pass", "success"), "failed": ("fail",), "warned": ("warn",),
        "could not run": ("error", "runtime error"), "skipped": ("skipped",)}.items()}  # fmt: skip
    yield from ("", "### Tests", "")
    yield ", ".join(f"{count} {word}" for word, count in counts.items() if count) + "."
    for node in report.broken:
        said = _printable(without_values(node.message or ""))
        yield from ("", f"{CLOSED} {node.resource_type} `{node.name}` broke:", *_fenced(said))
    for test in report.of_status("fail", "warn"):
        mark = CLOSED if test.status == "fail" else "⚠️"
        if test.unique_id.startswith("unit_test."):
            yield from ("", f"{mark} `{test.name}`", *_fenced(test.message or ""))
            continue
        yield from ("", f"{mark} `{test.name}`: {in_rows(test.failures or 0)}")
        for rows in (each.rows for each in report.failed_rows if each.test == test.name):
            yield from ("", *_of_rows(rows)) if rows else ()


def _lint(report: Report) -> Iterator[str]:
    if not report.lint:
        return
    yield from ("", "### Lint", "")
    for each in report.lint:
        told = {"missing": "is not installed here: nothing was checked"}.get(each.status)
        yield f"- {each.tool}: {told or each.status}"
        if each.status == "failed":
            yield from _fenced("\n".join(each.lines))


def _impact(report: Report) -> Iterator[str]:
    if report.impact:
        yield from ("", "<details><summary>What the code changes, column by column</summary>", "")
        yield from (f"- {_plain(line)}" for line in report.impact)
        yield from ("", "</details>")


def _cost(report: Report) -> Iterator[str]:
    if not report.cost:
        return
    known = [each for each in report.cost if each.seconds_before is not None]
    took = f"{sum(each.seconds for each in known):.1f} s"
    before = f"{sum(each.seconds_before or 0 for each in known):.1f} s when a run last built it"
    said = f": {took}, {before}" if known else ""
    yield from ("", f"<details><summary>What it costs{said}</summary>", "")
    yield from _table(
        ("model", "seconds", "before", "rows", "before", "size", "before"),
        ((f"`{each.name}`", f"{each.seconds:.2f}", _number(each.seconds_before, ".2f"),
          _number(each.rows, ","), _number(each.rows_before, ","), *_sizes(each))
         for each in report.cost),
    )  # fmt: skip
    yield from ("", "</details>")


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _sizes(cost: Cost) -> Iterator[str]:
    for size in (cost.size, cost.size_before):
        yield "" if size is None else f"{size / 1024:,.0f} KiB"


def _table(head: tuple[str, ...], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + " --- |" * len(head)
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _fenced(text: str) -> Iterator[str]:
    """A block of code that its own text cannot end."""
    yield from ("", "```text", text.replace("```", "'''").strip(), "```")


def _value(value: str | None) -> str:
    """Data as code: no mark-up, no mention of anybody, no cell that ends early."""
    if value is None:
        return "null"
    text = re.sub(r"\s+", " ", _printable(value)).replace("`", "'").replace("|", "\\|")
    return f"`{text[:LONGEST]}{'…' if len(text) > LONGEST else ''}`" if text.strip() else "` `"


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() or each == "\n" else " " for each in text)


def _plain(text: str) -> str:
    """Words of ours, which may quote somebody's."""
    return re.sub(r"\s+", " ", _printable(text)).replace("<", "&lt;").replace("@", "@\u200b")
