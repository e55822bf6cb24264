"""The site in a real browser, from a copied folder, without a network: seen, driven, measured."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.site.facts import Facts
from orchestration.site.pages import ASSETS, TEMPLATES, pages
from tests.site.browser import Tab
from tests.site.generated import generated_graph

pytestmark = pytest.mark.slow

PAGES = ("index.html", "runs/index.html", "runs/first.html", "runs/last.html", "tables/index.html",
         "tables/orders.html", "lineage.html")  # fmt: skip
MART = "model.ecluse.orders"
# Every text whose contrast with what is behind it is below AA; hidden ones are left out.
FAINT = """(() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const color = parse(getComputedStyle(node).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
    const style = getComputedStyle(node), out = "svg, script, noscript, .vh, .skip";
    if (!text || !node.checkVisibility() || node.closest(out)) continue;
    const [a, b] = [light(parse(style.color)), light(behind(node))].sort((x, y) => y - x);
    const large = parseFloat(style.fontSize) >= 24;
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < (large ? 3 : 4.5)) found.push(`${text.slice(0, 40)} ${contrast}`);
  }
  return found;
})()"""
# What a screen reader would miss: a landmark, a heading, a name, a header.
UNNAMED = """(() => {
  const found = [];
  for (const what of ["html[lang]", "header", "nav[aria-label]", "main#main", "h1", "title"]) {
    if (!document.querySelector(what)) found.push(`no ${what}`);
  }
  if (document.querySelectorAll("h1").length !== 1) found.push("not one h1");
  const names = (e) => e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.length;
  for (const e of document.querySelectorAll("a[href], button, input, summary")) {
    if (!names(e)) found.push(`no name: ${e.outerHTML.slice(0, 80)}`);
  }
  for (const e of document.querySelectorAll("svg[role=img]:not([aria-label])")) found.push("img");
  for (const e of document.querySelectorAll("table")) {
    if (!e.querySelector("th[scope=col]")) found.push("a table without headers");
  }
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  if (new Set(ids).size !== ids.length) found.push("an id twice");
  return found;
})()"""


def test_no_page_complains_asks_outside_or_runs_what_others_wrote(tab: Tab, copied: Path) -> None:
    tab.size(1280)
    for page in PAGES:
        tab.open(f"file://{copied}/{page}")
        assert tab.complaints == [], page
        assert all(url.startswith(("file:", "data:")) for url in tab.requests), tab.requests
        assert tab.run("window.hacked") is None
        assert tab.run(UNNAMED) == [], page


def test_dbts_docs_open_from_the_same_folder_and_ask_nothing_outside(
    tab: Tab, copied: Path
) -> None:
    tab.open(f"file://{copied}/index.html")
    tab.run("document.querySelector('nav a[href=\"dbt/index.html\"]').click()")
    tab.open(f"file://{copied}/dbt/index.html")
    assert "orders" in tab.run("document.body.innerText")
    assert all(url.startswith(("file:", "data:")) for url in tab.requests)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_in_both_themes(tab: Tab, copied: Path, scheme: str) -> None:
    tab.media(scheme)
    for page in PAGES:
        tab.open(f"file://{copied}/{page}")
        assert tab.run(FAINT) == [], page
    tab.media()


def test_a_phone_has_no_sideways_scroll(tab: Tab, copied: Path) -> None:
    tab.size(390, 844, phone=True)
    for page in PAGES:
        tab.open(f"file://{copied}/{page}")
        assert tab.run("document.documentElement.scrollWidth") <= 390, page
    tab.size(1280)


def test_the_theme_is_switched_and_remembered(tab: Tab, copied: Path) -> None:
    tab.open(f"file://{copied}/index.html")
    before = tab.run("getComputedStyle(document.body).backgroundColor")
    for _ in ("light", "dark"):
        tab.run("document.querySelector('button.theme').click()")
    assert tab.run("getComputedStyle(document.body).backgroundColor") != before
    tab.open(f"file://{copied}/runs/index.html")
    assert tab.run("document.querySelector('button.theme').textContent") == "Theme: dark"
    tab.run("document.querySelector('button.theme').click()")


def test_a_page_of_yesterday_says_that_it_is_old(tab: Tab, copied: Path) -> None:
    text = (copied / "index.html").read_text()
    day = json.dumps(str(datetime.now(UTC).date()))[1:-1]
    (copied / "old.html").write_text(text.replace(f'"{day}T', '"2020-01-01T'))
    tab.open(f"file://{copied}/old.html")
    said = tab.run("document.querySelector('.aged').textContent")
    assert "This page was written" in said
    assert "1 of the sources are older than their limit" in said


def test_print_shows_no_menu_and_cuts_nothing_off(tab: Tab, copied: Path) -> None:
    tab.media(medium="print")
    tab.open(f"file://{copied}/runs/last.html")
    assert tab.run("getComputedStyle(document.querySelector('.top nav')).display") == "none"
    assert tab.run("getComputedStyle(document.querySelector('pre')).maxHeight") == "none"
    tab.media()


def test_the_first_tab_stop_skips_to_the_content(tab: Tab, copied: Path) -> None:
    tab.open(f"file://{copied}/index.html")
    tab.press("Tab")
    assert tab.run("document.activeElement.textContent") == "Skip to content"
    tab.press("Enter")
    assert tab.run("document.activeElement.id") == "main"


def test_a_column_is_found_and_followed_by_keyboard_alone(tab: Tab, copied: Path) -> None:
    tab.open(f"file://{copied}/lineage.html")
    tab.press("/")
    tab.press("orders amount")
    assert tab.run("document.querySelector('#q').getAttribute('aria-expanded')") == "true"
    tab.press("ArrowDown")
    tab.press("ArrowUp")
    tab.press("Enter")
    lit = "[...document.querySelectorAll('.column.lit')].map((e) => e.getAttribute('aria-label'))"
    assert sorted(label.strip() for label in tab.run(lit)) == [
        "GET /orders.$.amount", "orders.amount integer", "orders.amount integer",
    ]  # fmt: skip
    at = "document.activeElement.getAttribute('aria-label').trim()"
    first = tab.run(at)
    assert first.startswith("orders.amount")
    tab.press("ArrowUp")
    assert tab.run(at) == "orders.id integer"
    tab.press("Enter")
    assert tab.run("decodeURIComponent(location.hash)").endswith("orders.id")
    for _ in range(3):
        tab.press("ArrowRight")
    assert tab.run(at).startswith("A dashboard.orders.id")
    tab.press("Escape")
    assert tab.run("document.querySelectorAll('.lit').length") == 0


def test_a_permanent_link_opens_with_its_path_lit_and_in_words(tab: Tab, copied: Path) -> None:
    tab.open(f"file://{copied}/lineage.html#{MART}.id")
    assert tab.run("document.querySelectorAll('#world path.lit').length") == 3
    said = " ".join(tab.run("document.getElementById('path').innerText").split())
    assert "Made of orders id raw GET /orders $.id api" in said
    assert "Used by A dashboard orders.id exposures" in said
    tab.run("document.querySelector('#path a[href*=exposure]').click()")
    assert tab.run("document.querySelector('#path h2').innerText") == "A dashboard orders.id"
    assert "its SQL is not ours" in tab.run("document.getElementById('path').innerText")
    tab.open(f"file://{copied}/tables/orders.html#amount")
    assert tab.run("document.querySelector(':target th').innerText").startswith("amount")


def test_filters_layers_and_zoom_do_what_they_say(tab: Tab, copied: Path) -> None:
    tab.open(f"file://{copied}/lineage.html#{MART}")
    count = "document.querySelectorAll('#world .node').length"
    assert tab.run(count) == 4, "the quarantine is not shown at first"
    tab.run("document.getElementById('indirect').click()")
    assert tab.run("document.querySelectorAll('#world path.indirect').length") == 1
    tab.run("document.getElementById('only').click()")
    tab.press("0")
    tab.run("document.getElementById('clear').click()")
    tab.run("document.getElementById('layer-quarantine').click()")
    assert tab.run(count) == 5
    tab.run("document.getElementById('layer-marts').click()")
    assert tab.run(count) == 4
    before = tab.run("document.getElementById('world').getAttribute('transform')")
    tab.call("Input.dispatchMouseEvent", type="mouseWheel", x=600, y=400, deltaX=0, deltaY=-300)
    assert tab.run("document.getElementById('world').getAttribute('transform')") != before
    assert tab.complaints == []


def test_a_click_lights_a_column_and_a_drag_moves_the_picture(tab: Tab, copied: Path) -> None:
    tab.open(f"file://{copied}/lineage.html")
    x, y = tab.run(
        "(() => { const b = document.querySelector('.column').getBoundingClientRect();"
        "return [b.x + b.width / 2, b.y + b.height / 2] })()"
    )
    mouse = {"button": "left", "buttons": 1, "clickCount": 1}
    tab.call("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, **mouse)
    tab.call("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=y, **mouse)
    assert tab.run("location.hash") != ""
    before = tab.run("document.getElementById('world').getAttribute('transform')")
    tab.call("Input.dispatchMouseEvent", type="mousePressed", x=300, y=600, **mouse)
    tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=340, y=640, **mouse)
    tab.call("Input.dispatchMouseEvent", type="mouseReleased", x=340, y=640, **mouse)
    assert tab.run("document.getElementById('world').getAttribute('transform')") != before


def test_300_tables_and_5000_columns_are_painted_at_once_and_stay_usable(
    tab: Tab, tmp_path: Path
) -> None:
    graph = generated_graph(300, 5_000)
    for path, text in pages(Facts(now=datetime.now(UTC), graph=graph), dbt_docs=False):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    for name in ASSETS:
        (tmp_path / name).write_text((TEMPLATES / name).read_text())
    assert (tmp_path / "lineage.html").stat().st_size < 1_000_000
    tab.open(f"file://{tmp_path}/lineage.html")
    paint = tab.run(
        "new Promise((done) => new PerformanceObserver((list) =>"
        "done(list.getEntries()[0].startTime)).observe({ type: 'paint', buffered: true }))"
    )
    print(f"first paint of 300 tables and 5,000 columns after {paint:.0f} ms")
    assert paint < 2_000
    assert tab.run("document.querySelectorAll('*').length") < 10_000, "columns are folded"
    took = tab.run(
        "(() => { const start = performance.now(); choose(nodes.length - 40, 3);"
        "return performance.now() - start })()"
    )
    assert took < 500
    assert tab.run("document.querySelectorAll('#world path.lit').length") > 0
    assert tab.run("document.querySelectorAll('#world .node').length") < 100, "only the path"
    assert tab.complaints == []
