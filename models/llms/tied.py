"""A table that a network knows by several names, as input and output vectors, has one name in a weights file."""

from __future__ import annotations

from typing import Any, Protocol

from torch import nn


class _Around(Protocol):
    network: Any


def keep_one_name(model: nn.Module) -> None:
    """Have a model around a network of transformers, its `network`, saved and loaded without the copies of tables."""
    model.register_state_dict_post_hook(_leave_copies_out)  # type: ignore[no-untyped-call]
    model.register_load_state_dict_pre_hook(_put_copies_back)  # type: ignore[no-untyped-call]


def _leave_copies_out(module: _Around, state: dict[str, Any], prefix: str, local_metadata: dict[str, Any]) -> None:
    for copy in module.network.all_tied_weights_keys:
        state.pop(f"{prefix}network.{copy}", None)


def _put_copies_back(module: _Around, state: dict[str, Any], prefix: str, *rest: object) -> None:
    for copy, kept in module.network.all_tied_weights_keys.items():
        if f"{prefix}network.{kept}" in state:
            state.setdefault(f"{prefix}network.{copy}", state[f"{prefix}network.{kept}"])
