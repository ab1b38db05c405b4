"""Lists are the true ones wherever the search says so, and never hold what they must not."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_t5 import brute_force, network, read
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput

from models.llms.beam import Found, best_of, cleared, score_every, search, search_freely
from models.llms.decoder import Decoder
from models.llms.item_codes import END, PAD, ItemCodes, digits, numbered, own_tokens
from models.llms.trie import build

DRAWS = np.random.default_rng(0)
WAYS = {
    "digits": digits(57),
    "own tokens": own_tokens(40),
    "semantic": numbered(DRAWS.integers(0, [3, 4], size=(50, 2))),
    "of unequal length": ItemCodes(
        np.array([[2 + n % 3, n // 3 and 1 + n // 3, n // 12 and 1 + n // 12] for n in range(36)]), 14, ended=True
    ),
}
ROWS = 4


def none(codes: ItemCodes) -> Tensor:
    return torch.zeros(ROWS, codes.n_items, dtype=torch.bool)


def some(codes: ItemCodes, share: float = 0.4) -> Tensor:
    torch.manual_seed(7)
    return torch.rand(ROWS, codes.n_items) < share


def true_lists(scores: Tensor, gone: Tensor, length: int) -> list[list[int]]:
    """The plain way: sort what is left."""
    lists = []
    for row, out in zip(scores.tolist(), gone.tolist(), strict=True):
        fresh = [item for item in range(len(row)) if not out[item]]
        lists.append(sorted(fresh, key=lambda item: -row[item])[:length])
    return lists


def lists_of(found: Found) -> list[list[int]]:
    return [[item for item in row if item >= 0] for row in found.items.tolist()]


@pytest.mark.parametrize("scaled", [True, False])
def test_a_step_says_what_the_whole_network_says(scaled: bool) -> None:
    """Beams that swap places, part and end at every step, against the ordinary forward pass over each beam's words."""
    made = network(20, layers=3, scaled=scaled)
    _, memory, mask = read(made, rows=ROWS)
    decoder = Decoder(made, memory, mask)
    torch.manual_seed(1)
    said = torch.zeros(ROWS, 1, 1, dtype=torch.long)
    step = decoder.step(said[..., -1])
    for _ in range(4):
        whole = made(
            encoder_outputs=(memory.repeat_interleave(said.shape[1], 0),),
            attention_mask=mask.repeat_interleave(said.shape[1], 0).long(),
            decoder_input_ids=said.flatten(0, 1),
        ).logits[:, -1]
        torch.testing.assert_close(step.flatten(0, 1), whole)
        beams = torch.randint(said.shape[1], (ROWS, 5))
        tokens = torch.randint(20, (ROWS, 5))
        said = torch.cat([said[torch.arange(ROWS)[:, None], beams], tokens[..., None]], 2)
        step = decoder.step(tokens, beams)


@pytest.mark.parametrize("codes", WAYS.values(), ids=WAYS.keys())
def test_every_item_scores_what_the_network_gives_to_its_tokens(
    codes: ItemCodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = network(codes.vocabulary)
    _, memory, mask = read(made, rows=ROWS)
    scores = score_every(made, memory, mask, build(codes))
    torch.testing.assert_close(scores, brute_force(made, memory, mask, codes))
    monkeypatch.setattr("models.llms.beam.LOGITS", 1)
    torch.testing.assert_close(score_every(made, memory, mask, build(codes)), scores)


@pytest.mark.parametrize("codes", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("length", [1, 10, 100])
def test_a_beam_wide_enough_gives_the_lists_of_brute_force(codes: ItemCodes, length: int) -> None:
    made = network(codes.vocabulary)
    _, memory, mask = read(made, rows=ROWS)
    scores = brute_force(made, memory, mask, codes)
    for gone in (none(codes), some(codes)):
        found = search(made, memory, mask, build(codes), gone, beams=codes.n_items, length=length)
        assert found.exact.all()
        assert lists_of(found) == true_lists(scores, gone, length)
        torch.testing.assert_close(
            found.scores[found.items >= 0], scores.gather(1, found.items.clamp(min=0))[found.items >= 0]
        )


@settings(max_examples=25)
@given(st.sampled_from(list(WAYS)), st.integers(1, 30), st.integers(1, 30), st.integers(0, 5), st.floats(0, 1))
def test_lists_hold_what_they_may_and_know_whether_they_are_true(
    way: str, beams: int, length: int, seed: int, share: float
) -> None:
    codes = WAYS[way]
    made = network(codes.vocabulary, seed)
    _, memory, mask = read(made, ROWS, seed)
    gone = some(codes, share)
    beams = max(beams, length)
    found = search(made, memory, mask, build(codes), gone, beams, length)
    truth = true_lists(score_every(made, memory, mask, build(codes)), gone, length)
    for row, items in enumerate(lists_of(found)):
        assert len(set(items)) == len(items) == min(length, int((~gone[row]).sum()))
        assert not gone[row, items].any()
        assert (found.scores[row, : len(items)].diff() <= 0).all()
        assert not found.exact[row] or items == truth[row]
        assert (found.scores[row, len(items) :] == -torch.inf).all()
    if way == "own tokens":
        assert found.exact.all()


def test_a_narrow_beam_can_miss_and_says_so() -> None:
    """The rows above would pass if `exact` were never true, or if beams never missed."""
    missed = certain = 0
    codes = WAYS["semantic"]
    for seed in range(20):
        made = network(codes.vocabulary, seed)
        _, memory, mask = read(made, ROWS, seed)
        found = search(made, memory, mask, build(codes), none(codes), beams=3, length=3)
        truth = true_lists(score_every(made, memory, mask, build(codes)), none(codes), 3)
        wrong = [items != true for items, true in zip(lists_of(found), truth, strict=True)]
        missed += sum(wrong)
        certain += int(found.exact.sum())
    assert missed > 0
    assert certain > 0


def test_the_exact_mode_is_a_sort() -> None:
    codes = WAYS["digits"]
    scores = torch.randn(ROWS, codes.n_items).round()  # with ties, which stand in the order of ids
    for gone in (none(codes), some(codes), torch.ones(ROWS, codes.n_items, dtype=torch.bool)):
        assert lists_of(best_of(scores, gone, 12)) == true_lists(scores, gone, 12)


def test_equal_scores_stand_in_the_order_of_ids_and_are_not_called_certain() -> None:
    codes = own_tokens(30)
    made = network(codes.vocabulary)
    torch.nn.init.zeros_(made.shared.weight)
    _, memory, mask = read(made, ROWS)
    whole = search(made, memory, mask, build(codes), none(codes), beams=30, length=30)
    assert lists_of(whole) == [list(range(30))] * ROWS
    assert not search(made, memory, mask, build(codes), none(codes), beams=5, length=5).exact.any()


@pytest.mark.parametrize("way", ["digits", "own tokens", "semantic"])
def test_narrow_beams_find_what_those_of_transformers_find(way: str) -> None:
    """Also where the beam misses: `generate` with `prefix_allowed_tokens_fn` drops the same beams."""
    codes = WAYS[way]
    made = network(codes.vocabulary)
    _, memory, mask = read(made, ROWS)
    allowed: dict[tuple[int, ...], list[int]] = {}
    for answer in codes.answers().tolist():
        for end in range(len(answer)):
            allowed.setdefault(tuple(answer[:end]), []).append(answer[end])
    said = made.generate(
        encoder_outputs=BaseModelOutput(last_hidden_state=memory),
        attention_mask=mask.long(),
        prefix_allowed_tokens_fn=lambda row, prefix: sorted(set(allowed[tuple(prefix.tolist()[1:])])),
        num_beams=6, num_return_sequences=6, do_sample=False, max_new_tokens=codes.tokens.shape[1], eos_token_id=None,
        length_penalty=0.0, return_dict_in_generate=True, output_scores=True,
    )  # fmt: skip
    theirs = build(codes).find(said.sequences[:, 1:].reshape(ROWS, 6, -1))
    mine = search(made, memory, mask, build(codes), none(codes), beams=6, length=6)
    assert mine.items.tolist() == theirs.tolist()
    torch.testing.assert_close(mine.scores, said.sequences_scores.reshape(ROWS, 6).double(), rtol=1e-5, atol=0)


def test_answers_of_unequal_length_end_when_the_network_ends_them() -> None:
    codes = WAYS["of unequal length"]
    assert (codes.answers() == END).sum() == codes.n_items
    assert len({int((row != PAD).sum()) for row in codes.answers()}) > 1


@pytest.mark.parametrize("beams", [2, 7, 60])
def test_a_search_held_to_nothing_is_that_of_transformers(beams: int) -> None:
    made = network(12)
    ids, memory, mask = read(made, rows=ROWS)
    said, scores = search_freely(made, memory, mask, depth=3, beams=beams)
    theirs = made.generate(
        input_ids=ids.masked_fill(~mask, PAD),
        attention_mask=mask.long(),
        num_beams=beams,
        num_return_sequences=beams,
        do_sample=False,
        max_new_tokens=3,
        eos_token_id=None,
        length_penalty=0.0,
        return_dict_in_generate=True,
        output_scores=True,
    )
    assert said.tolist() == theirs.sequences[:, 1:].view(ROWS, beams, 3).tolist()
    torch.testing.assert_close(scores.float(), theirs.sequences_scores.view(ROWS, beams), rtol=1e-4, atol=1e-5)


def test_beams_that_name_nothing_new_leave_places_empty() -> None:
    items = torch.tensor([[4, -1, 4, 2, 0, 3], [1, 0, 2, -1, -1, -1]])
    scores = -torch.arange(6.0).expand(2, -1)
    gone = torch.tensor([[False, False, False, True, False]]).expand(2, -1)
    found = cleared(items, scores, gone, 4)
    assert found.items.tolist() == [[4, 2, 0, -1], [1, 0, 2, -1]]
    assert found.scores.tolist() == [[0, -3, -4, -torch.inf], [0, -1, -2, -torch.inf]]
    assert not found.exact.any()
    assert cleared(items, scores, gone, 2).items.tolist() == [[4, 2], [1, 0]]
    longer = cleared(items, scores, gone, 9)
    assert longer.items.tolist() == [[4, 2, 0, *[-1] * 6], [1, 0, 2, *[-1] * 6]]
    assert longer.scores[0].tolist() == [0, -3, -4, *[-torch.inf] * 6]
