"""Which users are replayed, how their streams are split, and at what pace they live."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from scenarios.schema.base import Block, Count, NonNegative, Positive, Share


class Published(Block):
    """A public data set that `recfleet data get` fetches."""

    kind: Literal["movielens-100k", "movielens-1m"] = "movielens-100k"
    users: Count | None = None
    """Keep only this many users, drawn by the scenario's seed; all where absent."""


class Imported(Block):
    """A data set made by `recfleet data import`."""

    kind: Literal["imported"] = "imported"
    path: Path
    """The folder that the import wrote, relative to the scenario file."""
    users: Count | None = None
    """Keep only this many users, drawn by the scenario's seed; all where absent."""


class Synthetic(Block):
    """A generated population: drifting latent interests, Zipf popularity, sessions and a daily cycle."""

    kind: Literal["synthetic"] = "synthetic"
    users: Count = 1000
    items: Annotated[int, Field(ge=20)] = 2000
    interactions_per_user: Annotated[int, Field(ge=5)] = 80
    """Mean length of a stream; lengths are spread geometrically around it, from 5 to half the catalogue."""
    interests: Count = 16
    """Dimension of the latent interests."""
    drift: Share = 0.05
    """Share of a user's interest that is replaced at each interaction."""
    zipf_exponent: NonNegative = 1.0
    """Popularity of the r-th item falls as r to this power (0: all alike)."""
    session_length: Positive = 10.0
    """Mean interactions in a session."""
    daily_cycle: Share = 0.6
    """Depth of the daily cycle of session starts: 0 none, 1 asleep at its lowest point."""


Source = Annotated[Published | Imported | Synthetic, Field(discriminator="kind")]


class FractionSplit(Block):
    """Each user's stream is cut by its own length: history, then validation, then replay."""

    kind: Literal["fraction"] = "fraction"
    history: Annotated[float, Field(gt=0, lt=1)] = 0.6
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.1

    @model_validator(mode="after")
    def _leaves_a_replay(self) -> FractionSplit:
        if self.history + self.validation >= 1:
            raise ValueError("history + validation must stay below 1, so that something is left to replay")
        return self


def _moment(value: object) -> object:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("expected a time stamp such as 2001-02-28 or 2001-02-28T12:30:00Z") from None
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


Moment = Annotated[datetime, BeforeValidator(_moment)] | Annotated[float, Field(gt=0, lt=1)]
"""A time stamp (UTC where it names no zone), or the share of all interactions that lies before it."""


class MomentSplit(Block):
    """All streams are cut at the same two moments, so that no model sees anything of the replayed future.

    A user first seen after `replay_from` is not replayed, for nothing is known of him.
    """

    kind: Literal["moment"] = "moment"
    validation_from: Moment = 0.6
    """A time stamp, or the share of all interactions that lies before it."""
    replay_from: Moment = 0.7
    """A time stamp, or the share of all interactions that lies before it."""

    @model_validator(mode="after")
    def _in_order(self) -> MomentSplit:
        first, second = self.validation_from, self.replay_from
        if isinstance(first, datetime) != isinstance(second, datetime):
            raise ValueError("validation_from and replay_from must both be time stamps or both be shares")
        if first >= second:  # type: ignore[operator]  # the line above leaves two of one kind
            raise ValueError("validation_from must lie before replay_from")
        return self


class LastSplit(Block):
    """Each user's last interaction is replayed, the one before it is validation, all before that is history."""

    kind: Literal["last"] = "last"


Split = Annotated[FractionSplit | MomentSplit | LastSplit, Field(discriminator="kind")]


class RecordedPace(Block):
    """Devices keep the data set's own gaps between interactions."""

    kind: Literal["recorded"] = "recorded"
    compression: Positive = 1.0
    """Every gap is divided by this."""
    longest_gap_s: Positive | None = None
    """Gaps above this are cut to it, before compression (years of absence need no simulation)."""
    start_spread_s: NonNegative = 3600.0
    """Devices start at moments spread evenly over this long."""


class Surge(Block):
    """A time in which more people come than otherwise, or fewer: sessions begin more often, and then run as always."""

    from_s: NonNegative
    """In simulated time."""
    until_s: NonNegative
    """In simulated time."""
    factor: Positive = 3.0
    """First sessions of devices within the start spread, and later ones, begin this many times as often meanwhile.
    Assumed. Below 1: a lull. Where surges overlap, their factors multiply, as they do with the daily cycle."""

    @model_validator(mode="after")
    def _in_order(self) -> Surge:
        if self.from_s >= self.until_s:
            raise ValueError("from_s must lie before until_s")
        return self


class DrawnPace(Block):
    """Gaps are drawn: lognormal think times inside a session, lognormal pauses between sessions."""

    kind: Literal["drawn"] = "drawn"
    think_time_s: Positive = 20.0
    """Median think time. Assumed: no source read."""
    think_time_sigma: NonNegative = 0.8
    """Standard deviation of its logarithm. Assumed."""
    session_length: Annotated[float, Field(ge=1)] = 12.0
    """Mean interactions in a session (geometric). Assumed."""
    pause_s: Positive = 14400.0
    """Median pause between two sessions. Assumed."""
    pause_sigma: NonNegative = 1.0
    """Standard deviation of its logarithm. Assumed."""
    daily_cycle: Share = 0.0
    """Depth of the daily cycle of session starts: 0 none, 1 nobody at the quietest moment. Time 0 of the simulation is
    the busiest moment of a day."""
    surges: tuple[Surge, ...] = ()
    """When sessions begin more often than otherwise, as after a push message or a goal."""
    start_spread_s: NonNegative = 14400.0
    """Devices start at moments spread over this long: evenly, but for the daily cycle and surges."""


Pace = Annotated[RecordedPace | DrawnPace, Field(discriminator="kind")]


class Data(Block):
    """The behaviour that is replayed."""

    source: Source = Published()
    split: Split = FractionSplit()
    pace: Pace = DrawnPace()
