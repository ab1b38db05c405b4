"""The page in a browser: it draws what the still picture draws, answers to hand and keyboard, and calls nobody."""

import hashlib
import json
import re

import pytest
from made_up import make

from analysis.report import compare
from analysis.report.chart import WIDTH
from analysis.report.folder import read
from analysis.report.page import page

TROUBLE = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")


@pytest.fixture(scope="module")
def file(results, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page(results), encoding="utf-8")
    return path


@pytest.fixture
def shown(browser, file):
    browser.open(file)
    yield browser
    quiet(browser)


def quiet(browser):
    """Nothing was thrown or logged, and the page was the only thing asked for."""
    browser.settle()
    assert [event for event in browser.events if event["method"] in TROUBLE] == []
    asked = [e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"]
    assert all(url.startswith("file:") for url in asked)
    assert len(asked) == 1


def count(browser, selector):
    return browser.value(f"document.querySelectorAll({json.dumps(selector)}).length")


def text(browser, selector):
    return browser.value(f"document.querySelector({json.dumps(selector)}).textContent")


def middle(browser, selector):
    """The middle of an element, on the screen."""
    return browser.value(
        f"(() => {{ const node = document.querySelector({json.dumps(selector)});"
        " node.scrollIntoView({block: 'center', behavior: 'instant'});"
        " const box = node.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()"
    )


def test_it_draws_every_point(shown, results):
    swept = results.curve[~results.curve["policy"].isin(["always", "never"])]
    assert count(shown, "#tradeoff .dot:not(.swatch *)") == len(results.curve)
    assert count(shown, "#tradeoff .series .line") == swept["policy"].nunique() + 2
    assert count(shown, "#tradeoff .band") == swept["policy"].nunique()
    assert count(shown, ".plot.live") == 4


PICTURE = (
    "[...{where}.querySelectorAll('.picture')].map(svg => [...svg.querySelectorAll('path, text, rect')].map(node =>"
    " [node.getAttribute('class'), node.textContent, ['d', 'transform', 'x', 'y'].map(k => node.getAttribute(k))]))"
)


def test_the_script_draws_what_the_still_picture_draws(browser, file):
    """At the still picture's width both have the same parts, texts and coordinates."""
    browser.open(file)
    browser.value(f"document.querySelectorAll('.plot').forEach(plot => plot.style.width = '{WIDTH}px')")
    browser.settle()
    source = json.dumps(file.read_text())
    live = browser.value(PICTURE.format(where="document"))
    still = browser.value(PICTURE.format(where=f"new DOMParser().parseFromString({source}, 'text/html')"))
    assert len(live) == len(still) == 4
    for ours, theirs in zip(live, still, strict=True):
        assert [(look, words) for look, words, _ in ours] == [(look, words) for look, words, _ in theirs]
        for (_, _, one), (_, _, other) in zip(ours, theirs, strict=True):
            assert numbers(one) == pytest.approx(numbers(other), abs=0.02)


def numbers(attributes):
    return [float(number) for text in attributes for number in re.findall(r"-?[\d.]+", text or "")]


def test_policies_are_switched_off_and_on(shown, results):
    button = "document.querySelector('#tradeoff .legend button')"
    before = count(shown, "#tradeoff .series")
    assert shown.value(f"{button}.getAttribute('aria-pressed')") == "true"
    shown.value(f"{button}.click()")
    assert count(shown, "#tradeoff .series") == before - 1
    assert shown.value(f"{button}.getAttribute('aria-pressed')") == "false"
    shown.value(f"{button}.focus()")
    shown.press("Enter")
    assert count(shown, "#tradeoff .series") == before


def test_all_lines_can_be_switched_off(shown):
    shown.value("document.querySelectorAll('#tradeoff .legend button').forEach(button => button.click())")
    assert count(shown, "#tradeoff .series") == 0
    assert count(shown, "#tradeoff .tick") > 2


@pytest.mark.parametrize("way", ["x", "y"])
def test_axes_are_chosen(shown, way):
    select = f"document.querySelector('#tradeoff select[data-axis={way}]')"
    for choice in range(shown.value(f"{select}.length")):
        shown.value(f"{select}.value = {choice}; {select}.dispatchEvent(new Event('change'))")
        assert text(shown, f"#tradeoff .label.{way}") == shown.value(f"{select}.options[{choice}].text")
        assert count(shown, "#tradeoff .series .dot") >= 10
        assert "NaN" not in shown.value("document.querySelector('#tradeoff svg.picture').innerHTML")


def test_the_pointer_shows_the_values(shown, results):
    x, y = middle(shown, "#tradeoff .series:last-child .dot")
    shown.mouse("mouseMoved", x, y)
    row = results.curve[results.curve["policy"] == "never"].iloc[0]
    assert "device only" in text(shown, "#tradeoff .tip")
    assert f"{row['ndcg_at_10']:.4f}" in text(shown, "#tradeoff .tip")
    assert shown.value("document.querySelector('#tradeoff .tip').hidden") is False
    shown.mouse("mouseMoved", 2, 2)
    assert shown.value("document.querySelector('#tradeoff .tip').hidden") is True


def test_the_keyboard_reaches_every_point(shown, results):
    shown.value("document.querySelector('#tradeoff svg.picture').focus()")
    seen = set()
    for _ in range(results.curve["policy"].nunique()):
        shown.press("ArrowDown")
        for _ in range(5):
            shown.press("ArrowLeft")
        for _ in range(5):
            seen.add(text(shown, "#tradeoff .tip b"))
            shown.press("ArrowRight")
    points = {f"{row.policy} {row.parameter:g}" for row in results.curve.itertuples() if row.parameter == row.parameter}
    assert points <= seen
    shown.press("Escape")
    assert shown.value("document.querySelector('#tradeoff .tip').hidden") is True


def ticks(browser):
    return browser.value("[...document.querySelectorAll('#tradeoff .tick.x')].map(tick => tick.textContent)")


def test_it_zooms_by_mouse_buttons_and_keys_and_back(shown):
    whole = ticks(shown)
    x, y = middle(shown, "#tradeoff svg.picture")
    shown.mouse("mousePressed", x - 200, y - 80)
    shown.mouse("mouseMoved", x, y)
    shown.mouse("mouseReleased", x, y)
    dragged = ticks(shown)
    assert dragged != whole
    shown.value("document.querySelector('#tradeoff .zoom button:last-child').click()")
    assert ticks(shown) == whole
    shown.value("document.querySelector('#tradeoff .zoom button').click()")
    pressed = ticks(shown)
    assert pressed != whole
    shown.value("document.querySelector('#tradeoff svg.picture').focus()")
    shown.press("0")
    assert ticks(shown) == whole
    shown.press("+")
    assert ticks(shown) == pressed
    shown.press("-")
    assert ticks(shown) == whole


def test_the_ranking_is_chosen_without_script(browser, file):
    browser.open(file)
    shown = "[...document.querySelectorAll('.board')].map(b => getComputedStyle(b).display != 'none')"
    assert browser.value(shown).count(True) == 1
    browser.value("document.querySelector('label[for=board-3]').click()")
    assert browser.value(shown)[2] is True
    assert browser.value(shown).count(True) == 1
    quiet(browser)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_it_fits_phone_and_desktop_in_light_and_dark(browser, file, width, scheme):
    browser.open(file, width, 800, prefers_color_scheme=scheme)
    assert browser.value("document.documentElement.scrollWidth") <= width
    ground = browser.value("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground))) < 200) == (scheme == "dark")
    over = "[...document.querySelectorAll('.picture')].filter(p => p.getBoundingClientRect().right > innerWidth).length"
    assert browser.value(over) == 0
    cut = (
        "[...document.querySelectorAll('.picture text')].filter(t => { const box = t.getBoundingClientRect(),"
        " frame = t.ownerSVGElement.getBoundingClientRect();"
        " return box.left < frame.left - 1 || box.right > frame.right + 1; }).map(t => t.textContent)"
    )
    assert browser.value(cut) == []
    quiet(browser)


def test_without_script_it_is_a_still_picture(browser, file):
    browser.open(file, script=False)
    browser("Emulation.setScriptExecutionDisabled", value=False)
    assert count(browser, ".plot.live") == 0
    assert count(browser, "#tradeoff .series .dot") > 10
    assert count(browser, "button") == 0
    assert text(browser, "#tradeoff .label.x") == "requests per interaction"


def test_on_paper_everything_is_laid_open(browser, file):
    browser.open(file, 794, 1000, media="print", prefers_color_scheme="dark")
    hidden = "[...document.querySelectorAll('.board')].filter(b => getComputedStyle(b).display == 'none').length"
    assert browser.value(hidden) == 0
    assert browser.value("getComputedStyle(document.querySelector('.zoom')).display") == "none"
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.value("document.querySelector('.source pre').checkVisibility({contentVisibilityAuto: true})")


def test_runs_lie_side_by_side_and_are_switched_together(browser, results, tmp_path):
    slow = read(make(tmp_path / "slow", name="slow", service_s=0.4))
    file = tmp_path / "compare.html"
    file.write_text(compare.page(compare.line_up([results, slow])), encoding="utf-8")
    browser.open(file)
    before = count(browser, "#runs .series")
    browser.value("document.querySelector('#runs .group button').click()")
    policies = results.curve["policy"].nunique()
    assert count(browser, "#runs .series") == before + policies - 3  # never, always and the best were on
    browser.value("document.querySelector('#runs .group button').click()")
    assert count(browser, "#runs .series") == before - 3
    assert browser.value("document.documentElement.scrollWidth") <= 1200
    quiet(browser)


def test_a_hostile_page_stays_harmless(browser, tmp_path):
    hostile = "</script><script>window.hacked=1</script><img src=x onerror='window.hacked=1'>"
    sweep = {hostile: [2, 30], "random": [0.03, 0.6]}
    results = read(make(tmp_path / "a", sweep, rules={hostile: "periodic"}, question=hostile))
    file = tmp_path / "hostile.html"
    file.write_text(page(results), encoding="utf-8")
    browser.open(file)
    browser.value("document.querySelector('#tradeoff svg.picture').focus()")
    browser.press("ArrowRight")
    assert hostile in text(browser, "#tradeoff .tip")
    assert browser.value("typeof window.hacked") == "undefined"
    assert text(browser, "h1") == hostile
    quiet(browser)


def test_a_foreign_script_would_not_run(browser, file, tmp_path):
    """The policy in the page's head is in force: it guards what escaping might once miss."""
    torn = tmp_path / "torn.html"
    foreign = "<script>window.hacked=1</script><img src='https://x.test/'>"
    torn.write_text(file.read_text().replace("</main>", f"</main>{foreign}"))
    browser.open(torn)
    assert browser.value("typeof window.hacked") == "undefined"
    refused = [e for e in browser.events if e["method"] == "Log.entryAdded"]
    assert len(refused) >= 2


def test_a_finger_shows_the_values_and_takes_them_away(browser, file):
    browser.open(file, 360, 800)
    browser("Emulation.setTouchEmulationEnabled", enabled=True)
    x, y = middle(browser, "#tradeoff .series:last-child .dot")
    for kind, points in (("touchStart", [{"x": x, "y": y}]), ("touchEnd", [])):
        browser("Input.dispatchTouchEvent", type=kind, touchPoints=points)
    browser.settle()
    assert "device only" in text(browser, "#tradeoff .tip")
    assert browser.value("document.querySelector('#tradeoff .tip').hidden") is False
    box = "document.querySelector('#tradeoff .tip').getBoundingClientRect()"
    assert browser.value(f"[{box}.left >= 0, {box}.right <= 360, {box}.bottom <= 800]") == [True] * 3
    browser("Emulation.setTouchEmulationEnabled", enabled=False)
    quiet(browser)


def test_a_crowd_of_policies_is_switched_at_once_and_ranked_on_a_phone(browser, tmp_path):
    names = [f"learned-rule-over-everything-{i:02d}" for i in range(12)]
    sweep = {"never": [None], **{name: [5, 30] for name in names}, "oracle": [0.2, 0.6], "always": [None]}
    rules = dict.fromkeys(names, "periodic")
    crowd = make(tmp_path / "a", sweep, rules=rules, users=12, replications=2)
    scenario = (crowd / "scenario.yaml").read_text() + "objective: {p95_latency_s: 2.5}\n"
    (crowd / "scenario.yaml").write_text(scenario)
    grid = json.loads((crowd / "grid.json").read_text())
    (crowd / "grid.json").write_text(json.dumps(grid | {"scenario": hashlib.sha256(scenario.encode()).hexdigest()}))
    file = tmp_path / "crowd.html"
    file.write_text(page(read(crowd)), encoding="utf-8")
    browser.open(file, 390, 800)
    assert browser.value("document.documentElement.scrollWidth") <= 390
    inside = (
        "[...document.querySelectorAll('.ranked')].filter(t => t.offsetParent).every(t => [...t.querySelectorAll('td')]"
        ".every(c => c.getBoundingClientRect().right <= t.parentNode.getBoundingClientRect().right))"
    )
    assert browser.value(inside) is True
    assert count(browser, "#time text.limit") == 1
    button = "document.querySelector('#tradeoff .all')"
    for lines in (0, 15):
        browser.value(f"{button}.click()")
        assert count(browser, "#tradeoff .series") == lines
    style = "(n => { const s = getComputedStyle(n); return [s.stroke, s.strokeDasharray] + ''; })"
    drawn = browser.value(f"[...document.querySelectorAll('#tradeoff .series .line:not(.level)')].map({style})")
    assert len(set(drawn)) == len(drawn) == 13
    assert "oracle (upper bound)" in text(browser, "#tradeoff .legend")
    quiet(browser)
