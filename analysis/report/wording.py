"""Numbers as people read them. What has no value is a dash."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.intervals import Interval

NONE = "–"
MINUS = "\N{MINUS SIGN}"


def share(value: float | None, digits: int | None = None) -> str:
    """A share as percent, with these decimals; by itself one below 10%, unless it is 0, and none above."""
    if value is None or math.isnan(value):
        return NONE
    if digits is not None or abs(value) >= 0.0995:
        return _minus(f"{value:.{digits or 0}%}")
    if 0 < abs(value) < 0.0005:
        return "<0.1%" if value > 0 else f">{MINUS}0.1%"
    return _minus(f"{100 * value:.1f}".removesuffix(".0") + "%")


def change(value: float) -> str:
    """A relative change with its sign, as percent."""
    return f"+{share(value)}" if value > 0 else share(value)


def accuracy(value: float | None) -> str:
    """An accuracy, to four places."""
    return NONE if value is None or math.isnan(value) else _minus(f"{value:.4f}")


def signed(value: float) -> str:
    """A difference of accuracies with its sign."""
    return NONE if math.isnan(value) else _minus(f"{value:+.4f}")


def bounds(interval: Interval) -> str:
    """The two ends of an interval of a difference."""
    return f"{signed(interval.low)} to {signed(interval.high)}"


def milliseconds(value: float | None) -> str:
    """A latency in milliseconds; from a second on in seconds, from ten minutes on in minutes."""
    if value is None or math.isnan(value):
        return NONE
    if value < 999.5:
        return f"{value:,.0f} ms"
    if value < 600_000:
        return f"{value / 1000:,.{1 if value < 9_950 else 0}f} s"
    return f"{value / 60_000:,.0f} min"


def size(value: float | None) -> str:
    """Bytes in the unit that fits."""
    if value is None or math.isnan(value):
        return NONE
    for unit in ("B", "kB", "MB"):
        if abs(value) < 999.5:
            return f"{value:,.{0 if unit == 'B' or value >= 99.5 else 1}f} {unit}"
        value /= 1000
    return f"{value:,.1f} GB"


def number(value: float | None, digits: int = 3) -> str:
    """Any other number, to some significant digits."""
    if value is None or math.isnan(value):
        return NONE
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return _minus(f"{value:,.{places}f}")


def probability(p: float) -> str:
    """A p value."""
    if math.isnan(p):
        return NONE
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}" if p < 0.995 else "p = 1"


def point(policy: str, parameter: float | None) -> str:
    """A point of a sweep."""
    return policy if parameter is None or math.isnan(parameter) else f"{policy} {_minus(f'{parameter:.4g}')}"


def listing(names: Sequence[str], most: int = 3) -> str:
    """Names in a sentence; what exceeds `most` is counted."""
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _minus(text: str) -> str:
    return text.replace("-", MINUS)
