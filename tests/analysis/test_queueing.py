"""The formulas agree with chains solved by linear algebra, with textbook values, with each other, and with Little."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis import queueing
from analysis.errors import UnstableError

LOADS = [0.3, 0.7, 0.9, 0.95]


def stationary(rates):
    """Solve pi Q = 0 for the rates [from, to] of a Markov chain."""
    generator = rates - np.diag(rates.sum(axis=1))
    generator[:, -1] = 1.0  # one equation is redundant; this one says that the law sums to 1
    return np.linalg.solve(generator.T, np.r_[np.zeros(len(rates) - 1), 1.0])


def chain(births, deaths):
    """Birth-death chain with births[n] up from n and deaths[n] down from n + 1."""
    return stationary(np.diag(births, 1) + np.diag(deaths, -1))


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("servers", [1, 2, 5])
def test_mmc_is_its_birth_death_chain(load, servers):
    n = np.arange(900)
    arrivals = load * servers * 2.0
    law = chain(np.full(899, arrivals), 2.0 * np.minimum(n[1:], servers))
    found = queueing.mmc(arrivals, 2.0, servers)
    assert found.mean_present == pytest.approx(law @ n, rel=1e-8)
    assert found.mean_queue == pytest.approx(law @ np.maximum(n - servers, 0), rel=1e-8)
    assert queueing.erlang_c(load * servers, servers) == pytest.approx(law[servers:].sum(), rel=1e-8)


@pytest.mark.parametrize("load", [*LOADS, 1.0, 1.5])
@pytest.mark.parametrize(("servers", "room"), [(1, 1), (1, 10), (3, 3), (3, 12)])
def test_mmck_is_its_birth_death_chain(load, servers, room):
    n = np.arange(room + 1)
    law = chain(np.full(room, load * servers), np.minimum(n[1:], servers).astype(float))
    found = queueing.mmck(load * servers, 1.0, servers, room)
    assert found.loss == pytest.approx(law[-1])
    assert found.mean_queue == pytest.approx(law @ np.maximum(n - servers, 0))
    assert found.utilisation == pytest.approx(law @ np.minimum(n, servers) / servers)


@pytest.mark.parametrize("load", [*LOADS, 1.0, 1.3])
@pytest.mark.parametrize("impatience", [0.02, 0.5, 3.0])
def test_erlang_a_is_its_birth_death_chain(load, impatience):
    servers, n = 4, np.arange(700)
    deaths = np.minimum(n[1:], servers) + impatience * np.maximum(n[1:] - servers, 0)
    law = chain(np.full(699, load * servers), deaths)
    queue = law @ np.maximum(n - servers, 0)
    found = queueing.erlang_a(load * servers, 1.0, servers, impatience)
    assert found.mean_queue == pytest.approx(queue, rel=1e-7)
    assert found.loss == pytest.approx(impatience * queue / (load * servers), rel=1e-7)
    assert found.utilisation == pytest.approx(law @ np.minimum(n, servers) / servers, rel=1e-7)
    assert found.mean_present == pytest.approx(law @ n, rel=1e-7)


def test_erlang_a_becomes_erlang_c_with_patience_and_erlang_b_without():
    patient, endless = queueing.erlang_a(3.6, 1.0, 4, 1e-7), queueing.mmc(3.6, 1.0, 4)
    assert patient.mean_wait == pytest.approx(endless.mean_wait, rel=1e-4)
    assert queueing.erlang_a(3.6, 1.0, 4, 1e7).loss == pytest.approx(queueing.erlang_b(3.6, 4), rel=1e-5)


def test_an_overload_drives_all_it_cannot_serve_away():
    assert queueing.erlang_a(20.0, 1.0, 4, 1e-3).loss == pytest.approx(1 - 4 / 20, rel=1e-6)


@pytest.mark.parametrize(("sources", "servers"), [(1, 1), (10, 1), (40, 3)])
def test_machine_repairman_is_its_birth_death_chain(sources, servers):
    n = np.arange(sources + 1)
    births = 0.2 * (sources - n[:-1])
    law = chain(births, np.minimum(n[1:], servers).astype(float))
    found = queueing.machine_repairman(sources, 0.2, 1.0, servers)
    assert found.throughput == pytest.approx(law[:-1] @ births)
    assert found.mean_present == pytest.approx(law @ n)
    assert found.utilisation == pytest.approx(law @ np.minimum(n, servers) / servers)
    # A device's round: it thinks 1 / 0.2, then stays; every round is one request.
    assert found.throughput * (5 + found.mean_sojourn) == pytest.approx(sources)


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("largest", [1, 2, 8])
def test_bulk_exponential_is_its_chain(load, largest):
    arrivals, waiting = load * largest, int((16 + 12 * largest) / (1 - load))
    rates = np.zeros((waiting + 2, waiting + 2))  # state 0: idle; 1 + n: busy, n wait
    rates[0, 1] = arrivals
    for n in range(waiting + 1):
        if n < waiting:
            rates[1 + n, 2 + n] = arrivals
        rates[1 + n, 1 + max(n - largest, 0) if n else 0] += 1.0
    law = stationary(rates)
    found = queueing.bulk_exponential(arrivals, 1.0, largest)
    assert found.mean_queue == pytest.approx(law[1:] @ np.arange(waiting + 1), rel=1e-6)
    assert found.utilisation == pytest.approx(1 - law[0], rel=1e-8)


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("largest", [2, 8])
def test_bulk_constant_agrees_with_baileys_roots(load, largest):
    came = load * largest
    # Roots of z^b = exp(a (z - 1)) within the unit circle, by the fixed point of z = w exp(a (z - 1) / b).
    roots = np.exp(2j * np.pi * np.arange(1, largest) / largest)
    turn = roots.copy()
    for _ in range(4000):
        roots = turn * np.exp(came * (roots - 1) / largest)
    assert roots**largest == pytest.approx(np.exp(came * (roots - 1)))
    left = (1 / (1 - roots)).sum().real - (largest * (largest - 1) - came**2) / (2 * (largest - came))
    # X(0) of X(z) = (b - a) (z - 1) / (z^b - A(z)) prod (z - z_k) / (1 - z_k), and A(0) = exp(-a).
    none_left = ((largest - came) * np.exp(came) * np.prod(-roots / (1 - roots))).real
    cycle = 1 + none_left * np.exp(-came) / came
    found = queueing.bulk_constant(came, 1.0, largest)
    assert found.utilisation == pytest.approx(1 / cycle, rel=1e-8)
    assert found.mean_queue == pytest.approx((left + came / 2) / cycle, rel=1e-8)


@pytest.mark.parametrize("load", LOADS)
def test_batches_of_one_are_the_plain_server(load):
    assert queueing.bulk_constant(load, 1.0, 1).mean_wait == pytest.approx(queueing.md1(load, 1.0).mean_wait)
    assert queueing.bulk_exponential(load, 1.0, 1).mean_wait == pytest.approx(queueing.mm1(load, 1.0).mean_wait)


@pytest.mark.parametrize("load", [0.3, 0.7])
def test_pollaczek_khinchine_with_lognormal_service_is_what_lindley_gives(load):
    rng, n = np.random.default_rng(5), 400_000
    service = rng.lognormal(-0.5 * 0.8**2, 0.8, n)
    steps = np.cumsum(service[:-1] - rng.exponential(1 / load, n - 1))
    walk = np.r_[0.0, steps]
    waits = walk - np.minimum.accumulate(walk)  # Lindley's recursion unrolled
    blocks = waits[: n // 40 * 40].reshape(40, -1).mean(axis=1)
    theory = queueing.mg1_lognormal(load, 1.0, 0.8).mean_wait
    assert abs(stats.ttest_1samp(blocks, theory).statistic) < 4


def test_textbook_values():
    # Erlang B and C tables; M/M/1 at 0.9; M/D/1 waits half of M/M/1.
    assert queueing.erlang_b(10, 10) == pytest.approx(0.2146, abs=5e-5)
    assert queueing.erlang_b(5, 10) == pytest.approx(0.0184, abs=5e-5)
    assert queueing.erlang_c(1, 2) == pytest.approx(1 / 3)
    assert queueing.mm1(0.9, 1.0).mean_present == pytest.approx(9)
    assert queueing.md1(0.9, 1.0).mean_wait == pytest.approx(queueing.mm1(0.9, 1.0).mean_wait / 2)
    assert queueing.mg1(0.9, 1.0, 1.0) == queueing.mm1(0.9, 1.0)
    assert queueing.mg1_processor_sharing(0.9, 1.0).mean_sojourn == pytest.approx(10)
    assert queueing.mmck(5.0, 1.0, 10, 10).loss == pytest.approx(queueing.erlang_b(5, 10))


rate, few = st.floats(0.01, 50), st.integers(1, 12)


@given(rate, rate, few, st.integers(0, 30), st.floats(0.01, 20))
def test_flows_balance_and_little_holds(arrivals, service, servers, waiting, impatience):
    models = [
        queueing.mmck(arrivals, service, servers, servers + waiting),
        queueing.erlang_a(arrivals, service, servers, impatience),
        queueing.machine_repairman(servers + waiting, arrivals, service, servers),
    ]
    load = arrivals / service
    if load < 0.999 * servers:
        models += [
            queueing.mmc(arrivals, service, servers),
            queueing.bulk_exponential(arrivals, service, servers),
            queueing.bulk_constant(arrivals, 1 / service, servers),
        ]
    for found in models:
        assert 0 <= found.utilisation <= 1 + 1e-12
        assert 0 <= found.loss <= 1
        assert found.mean_present >= found.mean_queue >= 0
    for found in models[:4]:  # one request a server
        assert found.utilisation * servers * service == pytest.approx(found.throughput, rel=1e-9)
        assert found.mean_present - found.mean_queue == pytest.approx(found.throughput / service, rel=1e-6)
    for found in models[:2]:
        assert found.throughput == pytest.approx(arrivals * (1 - found.loss), rel=1e-9)


@given(st.floats(0.05, 0.95), few)
def test_a_constant_batch_time_waits_less_than_an_exponential_one(load, largest):
    constant = queueing.bulk_constant(load * largest, 1.0, largest)
    assert constant.mean_wait < queueing.bulk_exponential(load * largest, 1.0, largest).mean_wait


def test_what_has_no_steady_state_is_refused():
    for unstable in (
        lambda: queueing.mm1(1.0, 1.0),
        lambda: queueing.mg1(2.0, 1.0, 0.5),
        lambda: queueing.mg1_processor_sharing(1.0, 1.0),
        lambda: queueing.bulk_constant(8.0, 1.0, 8),
        lambda: queueing.bulk_exponential(9.0, 1.0, 8),
    ):
        with pytest.raises(UnstableError, match="must stay below 1"):
            unstable()
    with pytest.raises(ValueError, match="arrivals must be a positive"):
        queueing.mm1(-1.0, 1.0)
    with pytest.raises(ValueError, match="room"):
        queueing.mmck(1.0, 1.0, 4, 3)
