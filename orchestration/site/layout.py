"""Where the nodes of a graph stand: in columns from left to right, few crossings, short edges.

Ranks are longest paths from the left. Within a rank the nodes are ordered by the mean place of
their neighbours, swept to and fro (Sugiyama's barycentres), and then stand as near to that mean as
the nodes beside them allow (isotonic regression).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

SWEEPS = 12
GAP = 14.0


def ranks(
    ids: Sequence[str], edges: Iterable[tuple[str, str]], least: Mapping[str, int]
) -> dict[str, int]:
    """The column of each node: right of all that it reads, and at least where its layer begins.

    An edge that closes a circle counts for nothing.
    """
    reads: dict[str, set[str]] = {node: set() for node in ids}
    for here, there in edges:
        if here != there:
            reads[there].add(here)
    while True:
        try:
            order = list(TopologicalSorter(reads).static_order())
            break
        except CycleError as error:
            circle: list[str] = error.args[1]  # each is read by the next
            reads[circle[1]].discard(circle[0])
    found: dict[str, int] = {}
    for node in order:
        found[node] = max([least[node], *(found[parent] + 1 for parent in reads[node])])
    return found


def place(
    rank_of: Mapping[str, int], edges: Iterable[tuple[str, str]], heights: Mapping[str, float]
) -> dict[str, float]:
    """The top of each node; the topmost of all stands at 0."""
    columns: dict[int, list[str]] = defaultdict(list)
    for node, rank in rank_of.items():
        columns[rank].append(node)
    near: dict[str, list[str]] = defaultdict(list)
    for here, there in set(edges):
        near[here].append(there)
        near[there].append(here)
    middle: dict[str, float] = {}
    for nodes in columns.values():
        middle |= _stand(nodes, dict.fromkeys(nodes, 0.0), heights)
    forth = sorted(columns)
    for sweep in range(SWEEPS):
        for rank in forth if sweep % 2 == 0 else forth[::-1]:
            nodes = columns[rank]
            wish = {
                node: sum(middle[other] for other in near[node]) / len(near[node])
                if near[node] else middle[node]
                for node in nodes
            }  # fmt: skip
            nodes.sort(key=wish.__getitem__)
            middle |= _stand(nodes, wish, heights)
    tops = {node: middle[node] - heights[node] / 2 for node in rank_of}
    highest = min(tops.values(), default=0.0)
    return {node: round(top - highest, 1) for node, top in tops.items()}


def _stand(
    nodes: Sequence[str], wish: Mapping[str, float], heights: Mapping[str, float]
) -> dict[str, float]:
    """Middles as near to their wishes as the order and the heights allow, by least squares.

    Without its distance from the first, each node wants a number that may not be less than that of
    the one before; neighbours that want it otherwise are given their mean.
    """
    offsets, at = [], 0.0
    for before, node in zip([None, *nodes], nodes, strict=False):
        at += (heights[before] + heights[node]) / 2 + GAP if before else 0.0
        offsets.append(at)
    blocks: list[tuple[float, int]] = []  # mean wish, number of nodes
    for node, offset in zip(nodes, offsets, strict=True):
        mean, size = wish[node] - offset, 1
        while blocks and blocks[-1][0] >= mean:
            other, number = blocks.pop()
            mean, size = (mean * size + other * number) / (size + number), size + number
        blocks.append((mean, size))
    means = [mean for mean, size in blocks for _ in range(size)]
    return {n: m + offset for n, m, offset in zip(nodes, means, offsets, strict=True)}
