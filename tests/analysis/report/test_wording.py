"""Numbers are said as people say them, and never as `nan`."""

import math

import pytest

from analysis.report import wording


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (wording.share(0.5), "50%"),
        (wording.share(0.0512), "5.1%"),
        (wording.share(0.05), "5%"),
        (wording.share(0.0002), "<0.1%"),
        (wording.share(0), "0%"),
        (wording.share(-0.123), "\N{MINUS SIGN}12%"),
        (wording.share(math.nan), "–"),
        (wording.change(0.123), "+12%"),
        (wording.accuracy(0.12345), "0.1235"),
        (wording.signed(-0.00123), "\N{MINUS SIGN}0.0012"),
        (wording.milliseconds(823.4), "823 ms"),
        (wording.milliseconds(999.7), "1.0 s"),
        (wording.milliseconds(26_000), "26 s"),
        (wording.milliseconds(1_200_000), "20 min"),
        (wording.milliseconds(None), "–"),
        (wording.size(999), "999 B"),
        (wording.size(1500), "1.5 kB"),
        (wording.size(215_000), "215 kB"),
        (wording.size(3.2e9), "3.2 GB"),
        (wording.number(14.44), "14.4"),
        (wording.number(0.000_252), "0.000252"),
        (wording.number(0), "0"),
        (wording.probability(0.0002), "p < 0.001"),
        (wording.probability(0.034), "p = 0.034"),
        (wording.probability(1), "p = 1"),
        (wording.point("footrule", 18.336_6), "footrule 18.34"),
        (wording.point("always", math.nan), "always"),
        (wording.listing(["a"]), "a"),
        (wording.listing(list("abcde")), "a, b, c and 2 more"),
    ],
)
def test_said(said, text):
    assert said == text
