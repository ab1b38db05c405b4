"""The page is one file, well formed, the same bytes each time, and says what others wrote without obeying it."""

import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from itertools import chain

import pytest
from made_up import make

from analysis.report import compare
from analysis.report.folder import read
from analysis.report.page import page

HOSTILE = """</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1">'";{{ 7*7 }}<!--"""
VOID = {"meta", "br", "input", "img", "link"}


class Reader(HTMLParser):
    """Reads a page as a browser does, and notes what could reach out or run."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.texts, self.ids = [], [], [], {}, []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile") / HOSTILE.replace("/", "")
    sweep = {"never": [None], HOSTILE: [2, 5, 30], "periodic": [2, 5, 30], "always": [None]}
    return read(make(folder, sweep, rules={HOSTILE: "periodic"}, name=HOSTILE, question=HOSTILE))


def sources(text):
    reader = Reader(text)
    scripts = re.findall(r"<script>(.*?)</script>", text, re.S)
    return reader, scripts


@pytest.mark.parametrize("side_by_side", [False, True])
def test_what_others_wrote_is_shown_and_not_obeyed(hostile, results, side_by_side):
    text = compare.page(compare.line_up([hostile, results])) if side_by_side else page(hostile)
    reader, scripts = sources(text)
    assert len(scripts) == 1
    assert "hacked" not in scripts[0]
    assert "img" not in reader.tags
    assert not [name for _, name, _ in reader.attributes if name.startswith("on")]
    assert HOSTILE in "".join(reader.texts["h1"])
    assert "49" not in "".join(reader.texts["h1"])
    data = [json.loads(each) for each in re.findall(r'<script type="application/json">(.*?)</script>', text, re.S)]
    assert any(HOSTILE in series["name"] for chart in data for series in chart["series"])


def test_nothing_reaches_out_and_only_its_own_script_may_run(results):
    text = page(results)
    reader, (script,) = sources(text)
    for tag, name, value in reader.attributes:
        if name in ("src", "href", "action", "data", "poster", "srcset", "xlink:href"):
            assert value.startswith("#"), (tag, name, value)
    assert "url(" not in "".join(reader.texts["style"])
    assert "@import" not in "".join(reader.texts["style"])
    policy = next(value for tag, name, value in reader.attributes if tag == "meta" and "default-src" in (value or ""))
    assert policy.startswith("default-src 'none'")
    for inline in (script, "".join(reader.texts["style"])):
        assert base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode() in policy


def test_it_is_well_formed_and_everything_has_a_name(results):
    text = page(results)
    reader, _ = sources(text)
    assert len(set(reader.ids)) == len(reader.ids)
    assert reader.tags.count("h1") == reader.tags.count("main") == 1
    anchors = {value[1:] for tag, name, value in reader.attributes if name == "href"}
    assert anchors <= set(reader.ids)
    tables = text.count("<table")
    assert tables == len(re.findall(r'role="region" aria-label="[^"]+"><table', text))
    assert "None" not in re.sub(r"<script.*?</script>", "", text, flags=re.S)
    assert ">nan<" not in text


def test_it_says_everything_that_it_promises(results):
    text = page(results)
    said = "".join(chain.from_iterable(Reader(text).texts.values()))
    for words in ("What does it cost to ask less often?", "p95 latency", "Holm", "ledger", "sha256", "sasrec"):
        assert words.lower() in said.lower()
    assert results.scenario_text.strip() in said
    for chart in ("tradeoff", "time", "age", "ages"):
        assert '<figure class="chart' in text
        assert f'id="{chart}"' in text
    ledger = re.search(r'<section id="ledger">.*?</section>', text, re.S).group()
    requests = results.curve.set_index("policy").loc["always", "requests"]
    assert f">{requests:,}<" in ledger


def test_the_same_results_give_the_same_bytes(folder, results):
    assert page(read(folder)) == page(results)


def test_a_part_is_called_a_part(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    shutil.rmtree(copy / "cells" / "004")
    assert "1 of 22 cells are not finished" in page(read(copy, partial=True))


@pytest.mark.parametrize("sweep", [{"never": [None]}, {"always": [None]}, {"periodic": [4]}])
def test_the_smallest_sweeps_have_their_page(tmp_path, sweep):
    Reader(page(read(make(tmp_path / "a", sweep, replications=1))))
