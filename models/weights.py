"""Trained weights in the cache: one safetensors file each, named by everything that made it.

Nothing here imports torch until weights are loaded or saved, so that a run whose outcomes are all stored stays quick.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from scenarios.cache import atomic, content_key, home
from scenarios.errors import ModelError
from scenarios.population import Population

if TYPE_CHECKING:
    from torch import nn

ROOM = Path(__file__).parent


@dataclass(frozen=True)
class Facts:
    """What is worth knowing of trained weights without opening them.

    validation_ndcg_at_10: None where the validation part is empty. bytes: of the parameters as stored (float32).
    state_bytes: what a device keeps between two interactions; None for what runs in the cloud.
    """

    validation_ndcg_at_10: float | None
    epochs: int
    seconds: float
    parameters: int
    bytes: int
    state_bytes: int | None = None


@cache
def code_digest(*files: str) -> str:
    """SHA-256 over source files of this room, so that what older code made is not taken for what newer code makes."""
    digest = hashlib.sha256()
    for name in files:
        digest.update(name.encode() + (ROOM / name).read_bytes())
    return digest.hexdigest()


def refuse_foreign(folder: Path) -> None:
    """Raise `ModelError` unless all weights that a model's folder names are safetensors that lie in it.

    An index or a configuration may name any file, pickles and files elsewhere among them, and an adapter a model
    elsewhere: transformers would open them, and no digest of the folder would know of it.
    """
    if (folder / "adapter_config.json").is_file():
        raise ModelError(f"{folder}: holds an adapter to a model that lies elsewhere; merge the two first")
    for path in sorted([*folder.glob("*.index.json"), *folder.glob("config.json")]):
        try:
            told = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            continue  # whoever needs it will say so
        if not isinstance(told, dict):
            continue
        files = told.get("weight_map", {})
        named = [*files.values()] if isinstance(files, dict) else [files]
        for file in [*named, *([told["transformers_weights"]] if "transformers_weights" in told else [])]:
            plain = isinstance(file, str) and Path(file).name == file
            if not plain or not str(file).endswith((".safetensors", ".safetensors.index.json")):
                raise ModelError(f"{path}: names {str(file)[:60]!r} for weights; expected safetensors beside it")


def folder_digest(folder: Path) -> str:
    """SHA-256 over a local model's configuration and safetensors. Raises `ModelError` where they cannot be read."""
    refuse_foreign(folder)
    digest = hashlib.sha256()
    try:
        for path in sorted([*folder.glob("*.json"), *folder.glob("*.safetensors")]):
            digest.update(path.name.encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    except OSError as error:
        raise ModelError(f"{folder}: cannot be read ({error.strerror or error})") from error
    return digest.hexdigest()


def population_key(population: Population) -> str:
    """Names the streams and where each is cut."""
    cuts = hashlib.sha256(population.history_end.tobytes() + population.replay_from.tobytes()).hexdigest()
    return content_key(population.behaviour.digest, cuts)


def path_of(key: str) -> Path:
    """Where weights of this key are kept."""
    return home() / "weights" / f"{key}.safetensors"


def read_facts(key: str) -> Facts | None:
    """The facts of stored weights, None where there are none. Raises `ModelError` for a file that is none of ours."""
    from safetensors import SafetensorError, safe_open

    path = path_of(key)
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="np") as file:  # checks the header, and the file's length against it
            marks = file.metadata() or {}
        if marks.get("key") != key:
            raise ModelError(f"{path}: these weights were not trained for this scenario; remove the file")
        return Facts(**json.loads(marks["facts"]))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: truncated or no weights file ({error}); remove the file") from error


def save(model: nn.Module, key: str, facts: Facts) -> None:
    """Write the weights under their key; they appear whole or not at all. Raises `UserError`."""
    from dataclasses import asdict

    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with atomic(path_of(key)) as scratch:
        save_file(tensors, scratch, {"key": key, "facts": json.dumps(asdict(facts), sort_keys=True)})


def load(model: nn.Module, path: Path) -> None:
    """Fill a model from a safetensors file. Raises `ModelError` unless all fits and is a number."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path}: truncated or no safetensors file ({error})") from error
    expected = model.state_dict()
    for name in sorted(expected.keys() | tensors.keys()):
        if name not in tensors:
            raise ModelError(f"{path}: lacks {name}, which this model needs")
        if name not in expected:
            raise ModelError(f"{path}: holds {name}, which this model does not have")
        if tensors[name].shape != expected[name].shape or tensors[name].dtype != expected[name].dtype:
            found = f"{tensors[name].dtype} {list(tensors[name].shape)}"
            wanted = f"{expected[name].dtype} {list(expected[name].shape)}"
            raise ModelError(f"{path}: {name} is {found}, this model needs {wanted}")
        if not tensors[name].isfinite().all():
            raise ModelError(f"{path}: {name} holds what is no number")
    model.load_state_dict(tensors)


Parcel = Mapping[str, npt.NDArray[np.uint8]]
"""Weights files by key, to be sent to a machine that may not have them."""


def pack(keys: Sequence[str]) -> Parcel:
    """The files of those of these keys that are kept here."""
    return {key: np.fromfile(path_of(key), np.uint8) for key in keys if path_of(key).is_file()}


def unpack(parcel: Parcel) -> None:
    """Keep here what is not kept yet. Raises `WriteError`."""
    for key, content in parcel.items():
        if not path_of(key).is_file():
            with atomic(path_of(key)) as scratch:
                content.tofile(scratch)


def size_of_folder(folder: Path) -> Mapping[str, int]:
    """Parameters of a local model, from the heads of its files. Raises `ModelError` where they cannot be read."""
    from math import prod

    from safetensors import SafetensorError, safe_open

    count = 0
    for path in folder.glob("*.safetensors"):
        try:
            with safe_open(path, framework="np") as file:
                names: list[str] = list(file.keys())
                count += sum(prod(file.get_slice(name).get_shape()) for name in names)
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{path}: truncated or no safetensors file ({error})") from error
    return {"parameters": count}


@dataclass(frozen=True)
class Size:
    """Parameters, and their bytes as stored."""

    parameters: int
    bytes: int


def size_within(key: str, prefix: str) -> Size:
    """Of stored weights those of one part of the model: all float32 tensors whose names begin so."""
    from math import prod

    from safetensors import safe_open

    with safe_open(path_of(key), framework="np") as file:
        names: list[str] = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
        count = sum(prod(file.get_slice(name).get_shape()) for name in names)
    return Size(count, 4 * count)


def size_of(model: nn.Module) -> Mapping[str, int]:
    """Parameters of a model and their bytes, shared tables counted once; untuned ones too, which lie elsewhere."""
    held, untuned = list(model.parameters()), int(getattr(model, "untuned", 0))
    return {
        "parameters": sum(p.numel() for p in held) + untuned,
        "bytes": sum(p.numel() * p.element_size() for p in held) + 4 * untuned,
    }
