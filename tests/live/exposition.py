"""A strict reader of Prometheus' text format: what it cannot read, Prometheus may not either."""

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (-?[0-9][0-9.e+-]*|NaN)")
UNESCAPED = {r"\\": "\\", r"\"": '"', r"\n": "\n"}
Series = tuple[str, tuple[tuple[str, str], ...]]


def read(text: str) -> dict[Series, float]:
    """Every series with its value; HELP, then TYPE, then the samples of one metric together."""
    assert text.endswith("\n")
    found: dict[Series, float] = {}
    lines = iter(text.splitlines())
    current, seen = "", set[str]()
    for line in lines:
        if line.startswith("#"):
            current = re.fullmatch(rf"# HELP ({NAME}) [^\\]+", line)[1]
            assert next(lines) == f"# TYPE {current} gauge"
            assert current not in seen, f"{current} comes twice"
            seen.add(current)
            continue
        name, labels, value = _sample(line)
        assert name == current, f"{name} stands under {current}"
        assert (name, labels) not in found, f"{line} comes twice"
        found[name, labels] = value
    return found


def _sample(line: str) -> tuple[str, tuple[tuple[str, str], ...], float]:
    sample = SAMPLE.fullmatch(line)
    assert sample, line
    pairs = [(key, re.sub(r"\\.", lambda m: UNESCAPED[m[0]], text))
             for key, text in re.findall(LABEL, sample[2] or "")]  # fmt: skip
    assert len(dict(pairs)) == len(pairs), f"a label twice: {line}"
    return sample[1], tuple(pairs), float(sample[sample.lastindex or 0])
