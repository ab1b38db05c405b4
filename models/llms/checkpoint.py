"""Hugging Face models in local folders: safetensors that fit their configuration, or one clear line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from models.quiet import quiet
from models.weights import refuse_foreign
from scenarios.errors import ModelError

FAULTS = (Exception,)
"""What transformers raises for folders that are not what they should be: whatever comes up in fifty libraries."""


def open_network(architecture: Any, folder: Path, key: str) -> Any:
    """The network in a folder, in float32 and not in training.

    architecture: a class of transformers with `from_pretrained`. key: of the scenario, for messages. Raises
    `ModelError` where files lack or do not fit; nothing but safetensors is ever opened, and no code of the folder runs.
    """
    if not (folder / "config.json").is_file():
        raise ModelError(f"{key}: {folder} holds no config.json, so it is no model's folder")
    if not list(folder.glob("*.safetensors")):
        raise ModelError(f"{key}: {folder} holds no safetensors; files of other kinds are never opened")
    refuse_foreign(folder)
    try:
        with quiet():
            network, report = architecture.from_pretrained(
                folder,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                dtype=torch.float32,
                ignore_mismatched_sizes=True,  # they are in the report, by name
                output_loading_info=True,
            )
    except FAULTS as error:
        raise ModelError(f"{key}: {folder} cannot be loaded ({reason(error)})") from error
    for fault in ("missing_keys", "mismatched_keys", "unexpected_keys", "error_msgs"):
        if report.get(fault):
            named = ", ".join(sorted(str(name) for name in report[fault])[:3])
            raise ModelError(f"{key}: the weights in {folder} do not fit its config.json ({fault}: {named})")
    for name, weight in network.named_parameters():
        if not weight.isfinite().all():
            raise ModelError(f"{key}: the weights in {folder} hold what is no number ({name})")
    return network.eval()


def open_tokenizer(folder: Path, key: str) -> Any:
    """The tokenizer in a folder, from its tokenizer.json. Raises `ModelError`."""
    from transformers import AutoTokenizer

    if not (folder / "tokenizer.json").is_file():
        raise ModelError(f"{key}: {folder} holds no tokenizer.json")
    try:
        with quiet():
            return AutoTokenizer.from_pretrained(folder, use_fast=True, local_files_only=True, trust_remote_code=False)
    except FAULTS as error:
        raise ModelError(f"{key}: the tokenizer in {folder} cannot be loaded ({reason(error)})") from error


def reason(error: Exception) -> str:
    """What it says, in one line that is not too long."""
    return " ".join(str(error).split())[:300]
