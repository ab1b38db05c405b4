"""A causal language model of a few thousand weights in a folder, with a tokenizer of a few words."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

WORDS = ("<unk>", "<s>", "the", "a", "heat", "toy", "story", "of", "alien", "two")


def write(folder: Path, seed: int = 0, width: int = 16, words: int = len(WORDS), tied: bool = True) -> Path:
    """Network and tokenizer; fewer words than `WORDS` make a network too small for its tokenizer."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=words, hidden_size=width, intermediate_size=width, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=32, tie_word_embeddings=tied, initializer_range=0.3, bos_token_id=1, eos_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    made = Tokenizer(models.WordLevel({word: token for token, word in enumerate(WORDS)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", bos_token="<s>").save_pretrained(folder)
    return folder
