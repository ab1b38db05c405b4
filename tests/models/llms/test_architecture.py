"""Every family of language models comes in the size that is asked for, or is refused in one line; Llama as ever."""

import pytest
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from models.llms.architecture import untrained
from models.llms.causal import build
from scenarios.errors import ModelError
from scenarios.schema.recommenders import CausalLlm

N_ITEMS = 40
SPEC = CausalLlm(width=16, layers=2, heads=2, window=10, dropout=0.25)
FAMILIES = [
    "bloom",
    "falcon",
    "gpt2",
    "gpt_neox",
    "gptj",
    "llama",
    "mistral",
    "mixtral",
    "opt",
    "phi",
    "qwen2",
    "qwen3",
]


def of(architecture: str, **settings: object) -> CausalLlm:
    return SPEC.model_copy(update={"architecture": architecture, **settings})


def test_the_default_is_the_llama_that_it_was_to_the_bit() -> None:
    torch.manual_seed(3)
    model = build(N_ITEMS, SPEC)
    after = torch.get_rng_state()
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=N_ITEMS,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=10,
        attention_dropout=0.25,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
    )
    reference = LlamaForCausalLM(config)
    assert torch.equal(after, torch.get_rng_state())
    assert type(model.network) is LlamaForCausalLM
    ours, theirs = model.network.config.to_dict(), config.to_dict()
    assert ours.pop("dtype") in (None, torch.float32, "float32")
    theirs.pop("dtype")
    assert ours == theirs
    expected = {
        f"network.{name}": weight for name, weight in reference.state_dict().items() if name != "lm_head.weight"
    }
    kept = model.state_dict()
    assert list(kept) == list(expected)
    assert all(torch.equal(kept[name], expected[name]) for name in expected)
    assert model.training


@pytest.mark.parametrize("architecture", FAMILIES)
def test_a_family_comes_in_the_size_that_is_asked_for(architecture: str) -> None:
    model = build(N_ITEMS, of(architecture))
    network = model.network
    assert network.config.model_type == architecture
    assert network.get_input_embeddings().weight.shape == (N_ITEMS, 16)
    assert network.get_output_embeddings().weight is network.get_input_embeddings().weight
    stacks = [each for each in network.modules() if isinstance(each, nn.ModuleList)]
    assert len(stacks[0]) == 2
    assert network.config.num_attention_heads == 2
    assert model.encode(torch.zeros(1, 10, dtype=torch.int64)).shape == (1, 10, 16)


@pytest.mark.parametrize("architecture", [each for each in FAMILIES if each != "falcon"])  # whose code never drops
@pytest.mark.parametrize("dropout", [0.0, 0.25])
def test_attention_alone_drops(architecture: str, dropout: float) -> None:
    torch.manual_seed(0)
    network = untrained(N_ITEMS, of(architecture, dropout=dropout)).train()
    one, other = (network(torch.arange(8)[None], use_cache=False).logits for _ in range(2))
    assert torch.equal(one, other) == (dropout == 0)
    dropping = {name for name, each in network.named_modules() if isinstance(each, nn.Dropout) and each.p}
    assert all("att" in name for name in dropping)


@pytest.mark.parametrize(
    ("architecture", "said"),
    [
        ("no-such-thing", "transformers has no causal language model of this type"),
        ("t5", "transformers has no causal language model of this type"),
        ("bert", "it looks ahead, at items that come later"),
        ("bart", "its configuration has parts with sizes of their own"),
        ("mamba", "num_attention_heads cannot be set to 2, its configuration says None"),
        ("gpt_neo", r"cannot be built in this size \(.*attention_layers.*\)"),
        ("codegen", r"it cannot be run \(.*\)"),
        ("gemma2", "its logits are not its output layer applied to its states"),
    ],
)
def test_what_cannot_be_had_is_refused_in_one_line(architecture: str, said: str) -> None:
    with pytest.raises(ModelError, match=f"^recommenders.llm.architecture: {architecture}: {said}; .* gpt2") as refusal:
        build(N_ITEMS, of(architecture))
    assert "\n" not in str(refusal.value)


def test_nothing_is_said_aside(capfd: pytest.CaptureFixture[str]) -> None:
    build(N_ITEMS, of("gpt2"))
    with pytest.raises(ModelError):
        build(N_ITEMS, of("bert"))
    assert capfd.readouterr() == ("", "")
