"""Windows reach every position of the histories alike, and come in batches of the items where they lie."""

import numpy as np

from models.srms.base import PAD
from models.windows import Windows
from scenarios.population import Population


def test_every_position_of_the_history_is_as_often_a_target_as_any_other(population: Population) -> None:
    windows = Windows(population, 8, 4, seed=0)
    counts = np.zeros(len(population.behaviour.items))
    for epoch in range(400):
        windows.set_epoch(epoch)
        for begin, length in zip(windows.begins, windows.lengths, strict=True):
            counts[begin + 1 : begin + length] += 1
    within = np.concatenate([np.arange(n) for n in population.behaviour.lengths])
    ends = np.repeat(population.history_end, population.behaviour.lengths)
    target = (within >= 1) & (within < ends)
    assert not counts[~target].any()
    for user in range(population.behaviour.n_users):
        mine = counts[population.behaviour.offsets[user] :][1 : population.history_end[user]]
        if len(mine):
            assert mine.max() - mine.mean() < 6 * mine.mean() ** 0.5
            assert mine.mean() - mine.min() < 6 * mine.mean() ** 0.5


def test_batches_hold_the_windows_and_padding_to_their_right(population: Population) -> None:
    windows = Windows(population, 8, 4, seed=0)
    assert sorted(np.concatenate(windows.batches)) == list(range(len(windows.users)))
    for rows, batch in zip(windows.batches, windows, strict=True):
        for row, window, places in zip(rows, batch["items"], batch["places"], strict=True):
            begin, length = windows.begins[row], windows.lengths[row]
            assert window[:length].tolist() == population.behaviour.items[begin : begin + length].tolist()
            assert window[:length].tolist() == population.behaviour.items[places[:length]].tolist()
            assert (window[length:] == PAD).all()
