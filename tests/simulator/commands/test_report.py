"""`recfleet report` and `recfleet compare` write a page whole or not at all, and say in one line what is wrong."""

import shutil

import pytest
from click.testing import CliRunner
from made_up import make

from analysis.errors import TableError
from scenarios.errors import UserError
from simulator.commands import COMMANDS, main
from simulator.commands import compare as compare_module
from simulator.commands import report as report_module


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make(tmp_path_factory.mktemp("results") / "made-up")


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def recfleet(module, *arguments):
    return CliRunner().invoke(module.command, [str(argument) for argument in arguments], catch_exceptions=False)


def test_the_page_stands_beside_the_results_or_where_it_is_told(copy, tmp_path):
    assert recfleet(report_module, copy).output.strip() == str(copy / "report.html")
    elsewhere = tmp_path / "new" / "page.html"
    recfleet(report_module, copy, "--out", elsewhere)
    assert elsewhere.read_text() == (copy / "report.html").read_text()
    assert elsewhere.read_text().startswith("<!doctype html>")


def test_a_part_needs_the_word(copy):
    shutil.rmtree(copy / "cells" / "004")
    with pytest.raises(TableError, match="--partial"):
        recfleet(report_module, copy)
    assert not (copy / "report.html").exists()
    recfleet(report_module, copy, "--partial")
    assert "Partial." in (copy / "report.html").read_text()


def test_a_page_that_cannot_be_written_is_a_users_mistake(copy, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        recfleet(report_module, copy, "--out", tmp_path / "file" / "page.html")


def test_mistakes_end_in_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["report", str(tmp_path)])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_two_runs_lie_side_by_side(copy, tmp_path):
    other = make(tmp_path / "slow", name="slow", service_s=0.4)
    done = recfleet(compare_module, copy, other, "--out", tmp_path / "both.html")
    assert done.output.splitlines()[-1] == str(tmp_path / "both.html")
    assert [line.split()[0] for line in done.output.splitlines()[2:4]] == ["made-up", "slow"]
    assert "slow" in (tmp_path / "both.html").read_text()
    assert recfleet(compare_module, copy).exit_code == 2


def test_both_are_listed():
    assert {"report", "compare"} <= set(COMMANDS)
