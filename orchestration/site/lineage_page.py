"""The lineage page."""

from orchestration.site.facts import Facts


def lineage_page(facts: Facts) -> str:
    """Nothing yet."""
    return facts.project
