"""What is written of a GGUF file is the network that was put into it, to the last bit."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from models.llms.checkpoint import open_network, open_tokenizer
from models.llms.gguf_weights import to_safetensors
from scenarios.errors import ModelError

gguf = pytest.importorskip("gguf")

NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}  # fmt: skip
TOKENS = ["<unk>", "a", "b", "c", "ab", "Ġ"]


def network() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(TOKENS), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, tie_word_embeddings=True, max_position_embeddings=64, initializer_range=0.5,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def rotated(weight: Tensor, heads: int) -> Tensor:
    """The order in which GGUF files keep queries and keys: the halves of each head interleaved."""
    return weight.view(heads, 2, -1, weight.shape[1]).transpose(1, 2).reshape(weight.shape)


def write(made: LlamaForCausalLM, path: Path) -> None:
    config, out = made.config, gguf.GGUFWriter(path, "llama")
    out.add_context_length(config.max_position_embeddings)
    out.add_embedding_length(config.hidden_size)
    out.add_block_count(config.num_hidden_layers)
    out.add_feed_forward_length(config.intermediate_size)
    out.add_head_count(config.num_attention_heads)
    out.add_head_count_kv(config.num_key_value_heads)
    out.add_layer_norm_rms_eps(config.rms_norm_eps)
    out.add_rope_freq_base(10000.0)
    out.add_vocab_size(config.vocab_size)
    out.add_tokenizer_model("gpt2")
    out.add_token_list(TOKENS)
    out.add_token_merges(["a b"])
    out.add_bos_token_id(0)
    out.add_eos_token_id(0)

    def tensor(name: str, value: Tensor) -> None:
        out.add_tensor(name, np.ascontiguousarray(value.detach().numpy()))

    tensor("token_embd.weight", made.model.embed_tokens.weight)
    tensor("output_norm.weight", made.model.norm.weight)
    for number, layer in enumerate(made.model.layers):
        for theirs, ours in NAMES.items():
            value = layer.get_submodule(theirs).weight
            if ours in ("attn_q", "attn_k"):
                value = rotated(value, config.num_attention_heads if ours == "attn_q" else config.num_key_value_heads)
            tensor(f"blk.{number}.{ours}.weight", value)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def test_the_network_and_its_words_come_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = network()
    write(made, tmp_path / "made.gguf")
    capfd.readouterr()
    to_safetensors(tmp_path / "made.gguf", tmp_path / "out")
    assert capfd.readouterr() == ("", "")
    back = open_network(AutoModelForCausalLM, tmp_path / "out", "key")
    for name, value in made.state_dict().items():
        torch.testing.assert_close(back.state_dict()[name], value, rtol=0, atol=0)
    ids = torch.tensor([[1, 4, 2, 3]])
    torch.testing.assert_close(back(ids).logits, made(ids).logits)
    assert open_tokenizer(tmp_path / "out", "key")("abc")["input_ids"] == [4, 3]


def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "made.gguf").write_bytes(b"GGUF and no more")
    with pytest.raises(ModelError, match=r"made\.gguf: no GGUF file") as refusal:
        to_safetensors(tmp_path / "made.gguf", tmp_path / "out")
    assert "\n" not in str(refusal.value)
