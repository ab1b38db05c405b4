"""Rows as text for a terminal."""

from __future__ import annotations

from simulator.commands.validate.rows import Row, Validation

HEAD = ("case", "util", "quantity", "theory", "simulated", "from", "to", "error", "")


def table(found: Validation) -> str:
    """All rows, what broke, and the verdict."""
    lines = [HEAD, *(_cells(row) for row in found.rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    left = (0, 2)
    text = [
        "  ".join(
            cell.ljust(w) if i in left else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    failing = sum(not row.holds for row in found.rows)
    verdict = f"{len(found.rows)} rows, all hold" if found.holds else f"{failing} of {len(found.rows)} rows do not hold"
    return "\n".join([*text, *(f"broken: {each}" for each in found.broken), "", verdict])


def _cells(row: Row) -> tuple[str, ...]:
    utilisation = "-" if row.utilisation is None else f"{row.utilisation:g}"
    if row.simulated is None or row.low is None or row.high is None or row.relative_error is None:
        return (row.case, utilisation, row.quantity, f"{row.theory:.5g}", "-", "-", "-", "-", "FAILS")
    numbers = (f"{value:.5g}" for value in (row.theory, row.simulated, row.low, row.high))
    error = f"{100 * row.relative_error:.2f}%"
    return (row.case, utilisation, row.quantity, *numbers, error, "holds" if row.holds else "FAILS")
