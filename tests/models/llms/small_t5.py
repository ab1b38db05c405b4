"""A T5 of a few thousand weights with opinions of its own, and what it says when it is asked in the ordinary way."""

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from models.llms.item_codes import PAD, ItemCodes
from models.llms.local_t5 import AFTER, BEFORE, BETWEEN

WORDS = ["<pad>", "</s>", "<unk>", *"0123456789", *f"{BEFORE}{BETWEEN}{AFTER}".split()]


def network(
    vocabulary: int, seed: int = 0, width: int = 16, layers: int = 2, scaled: bool = True
) -> T5ForConditionalGeneration:
    torch.manual_seed(seed)
    config = T5Config(
        vocab_size=vocabulary, d_model=width, d_kv=8, d_ff=2 * width, num_layers=layers, num_heads=2,
        decoder_start_token_id=0,
    )  # fmt: skip
    config.scale_decoder_outputs = scaled
    made = T5ForConditionalGeneration(config).double().eval()
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            # As it is made, all positions look alike to it and everything is about as likely.
            if "relative_attention_bias" in name or ".q." in name:
                parameter.normal_(std=1.0)
        made.shared.weight.mul_(3 if scaled else 0.75)
    return made


def read(made: T5ForConditionalGeneration, rows: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Some prompts of unlike lengths, what the encoder says of them, and where they are real."""
    torch.manual_seed(seed)
    ids = torch.randint(2, made.config.vocab_size, (rows, 9))
    mask = torch.arange(9) < torch.randint(1, 10, (rows, 1))
    with torch.no_grad():
        memory = made.encoder(input_ids=ids.masked_fill(~mask, PAD), attention_mask=mask.long()).last_hidden_state
    return ids, memory, mask


@torch.no_grad()
def brute_force(made: T5ForConditionalGeneration, memory: Tensor, mask: Tensor, codes: ItemCodes) -> Tensor:
    """[B, n_items] log-probabilities: one ordinary forward pass for every history and every item."""
    answers = torch.from_numpy(codes.answers())
    scores = []
    for row in range(len(memory)):
        said = made(
            encoder_outputs=(memory[row : row + 1].expand(len(answers), -1, -1),),
            attention_mask=mask[row : row + 1].expand(len(answers), -1).long(),
            decoder_input_ids=made._shift_right(answers),
        ).logits.log_softmax(-1)
        each = said.gather(2, answers[..., None])[..., 0]
        scores.append(each.masked_fill(answers == PAD, 0.0).sum(1))
    return torch.stack(scores)


def tokenizer() -> PreTrainedTokenizerFast:
    """Of P5's words and single digits."""
    vocabulary = {word: token for token, word in enumerate(dict.fromkeys(WORDS))}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Digits(individual_digits=True)]
    )
    made.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
