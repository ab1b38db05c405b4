"""An untrained causal network of any architecture that transformers has, of the size that a scenario asks for.

What families call their settings differs. A setting is given where the family's configuration has it, by one of its
names; the rest is the family's default. What comes of it is looked at, not taken for granted.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from models.llms.checkpoint import reason
from models.quiet import quiet
from scenarios.errors import ModelError
from scenarios.schema.recommenders import CausalLlm

FEED_FORWARD = ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size")
"""What families call the width of a block's feed-forward net."""


def untrained(n_items: int, spec: CausalLlm) -> Any:
    """The network; input and output vectors are one table where the family can share it.

    Raises `ModelError` where it cannot be had in this size.
    """
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    if spec.architecture not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise refusal(spec, "transformers has no causal language model of this type")
    try:
        with quiet():
            config = AutoConfig.for_model(spec.architecture, **_settings(n_items, spec))
            if config.is_encoder_decoder or config.sub_configs:
                raise refusal(spec, "its configuration has parts with sizes of their own")
            for name, wanted in _size(n_items, spec).items():
                found = getattr(config, name, None)
                if found != wanted:
                    raise refusal(spec, f"{name} cannot be set to {wanted}, its configuration says {found}")
            return AutoModelForCausalLM.from_config(config)
    except ModelError:
        raise
    except Exception as error:  # whatever comes up in two hundred architectures
        raise refusal(spec, f"cannot be built in this size ({reason(error)})") from error


def refusal(spec: CausalLlm, why: str) -> ModelError:
    """One line that says so, and what to write instead."""
    return ModelError(
        f"recommenders.llm.architecture: {spec.architecture}: {why}; expected a model_type such as llama, gpt2, "
        "gpt_neox, mistral, opt or qwen2"
    )


def _size(n_items: int, spec: CausalLlm) -> dict[str, int]:
    return {
        "vocab_size": n_items,
        "hidden_size": spec.width,
        "num_hidden_layers": spec.layers,
        "num_attention_heads": spec.heads,
    }


def _settings(n_items: int, spec: CausalLlm) -> dict[str, Any]:
    """What the family's configuration is made of, by the names that it has for it."""
    from transformers import CONFIG_MAPPING

    family: Any = CONFIG_MAPPING[spec.architecture]
    defaults = {field.name: field.default for field in fields(family)}
    head = spec.width // spec.heads
    told = {
        **_size(n_items, spec),
        "max_position_embeddings": spec.window,
        "num_key_value_heads": spec.heads,
        "head_dim": head,
        "rotary_dim": head,
        **dict.fromkeys(FEED_FORWARD, 2 * spec.width),
        # Attention's is the scenario's; what comes in and goes out has its own (`Causal.encode`), the rest has none.
        **{
            name: spec.dropout if name.startswith("att") else 0.0
            for name, default in defaults.items()
            if "drop" in name and type(default) in (int, float)
        },
    }
    named = {family.attribute_map.get(name, name): value for name, value in told.items()}
    return {
        **{name: value for name, value in named.items() if name in defaults},
        "tie_word_embeddings": True,
        **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id")),
    }
