"""How a history is put to an encoder: what stands before, between and after the codes of its items."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.llms.item_codes import END, PAD
from models.srms.base import PAD as NO_ITEM


@dataclass(frozen=True)
class Prompt:
    """Tokens around the items' codes; without words there is nothing but the codes and the end."""

    before: tuple[int, ...] = ()
    between: tuple[int, ...] = ()
    after: tuple[int, ...] = (END,)

    def put(self, codes: Tensor, histories: Tensor) -> tuple[Tensor, Tensor]:
        """([N, L] tokens, filled up with `PAD` to the right; [N, L] places of the items that tokens are part of).

        codes: [n_items, depth]. histories: [N, T] ids, oldest first, with -1 for nothing anywhere. The newest item
        has place 1, and what belongs to no item has 0: so a place means the same in a short and in a long history.
        """
        rows, real = len(histories), histories != NO_ITEM
        items = codes[histories.clamp(min=0)].masked_fill(~real[..., None], PAD)
        places = real.flip(1).cumsum(1).flip(1) * real
        between = codes.new_tensor(self.between).expand(*histories.shape, -1)
        between = between.masked_fill((places <= 1)[..., None], PAD)
        of_items = torch.cat([places[..., None].expand_as(items), torch.zeros_like(between)], 2).flatten(1)
        before, after = (codes.new_tensor(words).expand(rows, -1) for words in (self.before, self.after))
        tokens = torch.cat([before, torch.cat([items, between], 2).flatten(1), after], 1)
        places = torch.cat([torch.zeros_like(before), of_items, torch.zeros_like(after)], 1)
        # Close the gaps that missing items and short codes left.
        gap = tokens == PAD
        order = gap.to(torch.uint8).argsort(dim=1, stable=True)[:, : int((~gap).sum(1).max())]
        return tokens.gather(1, order), places.masked_fill(gap, 0).gather(1, order)
