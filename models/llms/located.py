"""Where a pretrained model's files lie: a folder, the cache of published models, or the hub's own cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from models.published import PUBLISHED
from scenarios.errors import ModelError

KEY = "recommenders.llm.model"
FILES = ("*.json", "*.safetensors")
"""All that is ever fetched from the hub: no pickles, no code."""


def located(name: str) -> Path:
    """The folder of a model that is here already. Raises `ModelError` with what to do where it is not."""
    if Path(name).is_absolute():
        if not Path(name).is_dir():
            raise ModelError(f"{KEY}: {name}: no such folder")
        return Path(name)
    if name in PUBLISHED:
        folder = PUBLISHED[name].folder
        if not folder.is_dir():
            raise ModelError(f"{KEY}: {name} is not fetched yet: recfleet models get {name}")
        return folder
    return _on_hub(name, fetch=False)


def fetched(name: str, announce: Callable[[str], None]) -> Path:
    """The same, fetched first where it is not here yet.

    announce: takes the licence and what is being done. Raises `ModelError`, `DataError` as `PublishedModel.get`.
    """
    if name in PUBLISHED:
        return PUBLISHED[name].get(announce)
    try:
        return located(name)
    except ModelError:
        if Path(name).is_absolute():
            raise
    announce(f"{name}: fetching from the Hugging Face hub; see there for its licence")
    return _on_hub(name, fetch=True)


def _on_hub(name: str, fetch: bool) -> Path:
    from huggingface_hub import snapshot_download

    if name.count("/") != 1:
        known = ", ".join(PUBLISHED)
        raise ModelError(f"{KEY}: {name}: no folder, no published model ({known}) and no OWNER/NAME of the hub")
    try:
        return Path(snapshot_download(name, allow_patterns=list(FILES), local_files_only=not fetch))
    except Exception as error:  # the errors of its HTTP library among them, whichever that is
        said = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{KEY}: {name}: not here, and not to be had from the hub ({said}); where there is no network, copy the "
            f"model's folder here and name that, or take one of `recfleet models list`"
        ) from error
