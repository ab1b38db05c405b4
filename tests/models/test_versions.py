"""Versions of a device's model are as many users more, and nothing of one version is taken for another's."""

from dataclasses import replace

import numpy as np
import pytest

from models.prepare import prepare, refreshed
from models.recommenders import Recommenders
from models.versions import Versions
from scenarios.errors import UserError
from scenarios.population import Population
from scenarios.schema.fleet import Fusion, PopularCatalogue, WholeCatalogue
from scenarios.schema.generators import Duet
from scenarios.schema.pushes import Pushes
from scenarios.schema.recommenders import CausalLlm, Srm
from scenarios.schema.recommenders import Recommenders as Spec
from scenarios.schema.stages import MergeNet, Retraining
from scenarios.schema.training import Training

SHORT = Training(epochs=1, batch_size=8, learning_rate=0.02)
SPEC = Spec(
    srm=Srm(width=8, layers=1, window=6, training=SHORT),
    llm=CausalLlm(width=8, layers=1, heads=2, window=8, training=SHORT),
    list_length=12,
    precision="float64",
)
PUSHES = Pushes(count=2, stages=(Retraining(training=SHORT),))


def plain(population: Population, spec: Spec = SPEC) -> Recommenders:
    return prepare(population, spec, WholeCatalogue(), Fusion(), ("footrule",), print, progress=False)


def newer(population: Population, share: float) -> Population:
    lived = (population.steps * share).astype(np.int64)
    return replace(population, replay_from=population.replay_from + lived)


def test_each_version_has_the_outcomes_that_its_weights_have_alone(population: Population) -> None:
    base = plain(population)
    both = refreshed(base, PUSHES, [newer(population, 0.2), newer(population, 0.6)])
    assert isinstance(both.outcomes, Versions)
    n, some = population.behaviour.n_users, population.replayed
    steps, zeros = population.steps[some], np.zeros_like(some)
    assert (both.outcomes.steps == np.tile(population.steps, 3)).all()
    seen = []
    for version, key in enumerate((base.srm_key, *both.pushed)):
        alone = replace(base, srm_key=key, key=f"alone-{version}")
        for cut in (-1, 0):
            cuts = zeros + cut
            mine = both.outcomes.ranks(some + version * n, cuts, zeros, steps)
            assert mine.tolist() == alone.outcomes.ranks(some, cuts, zeros, steps).tolist()
        user = int(some[steps.argmax()])
        signal = both.outcomes.signal("footrule", user + version * n, 0, 0, 3)
        assert signal.tolist() == alone.outcomes.signal("footrule", user, 0, 0, 3).tolist()
        device, other = both.live().device(user + version * n), alone.live().device(user)
        for each in (device, other):
            each.look(1)
            each.hold(1)
        assert (device.rank(), device.signals()) == (other.rank(), other.signals())
        seen.append(mine.tolist())
    assert len({str(each) for each in seen}) == 3
    mixed = both.outcomes.ranks(
        np.concatenate([some + n, some]), np.tile(zeros, 2), np.tile(zeros, 2), np.tile(steps, 2)
    )
    assert mixed.tolist() == seen[1] + seen[0]


def test_weights_learn_only_from_what_they_are_given(population: Population) -> None:
    base = plain(population)
    one = refreshed(base, PUSHES, [newer(population, 0.2)])
    assert refreshed(base, PUSHES, [newer(population, 0.2)]).pushed == one.pushed
    assert refreshed(base, PUSHES, [newer(population, 0.6)]).pushed != one.pushed
    assert one.name != base.name
    assert one.facts["pushed"][0]["weights"] == one.pushed[0]


def test_a_push_weighs_what_changes_of_what_the_device_holds(population: Population) -> None:
    base = plain(population)
    whole = base.push_bytes(PUSHES)
    assert whole == base.facts["srm"]["bytes_without_item_vectors"] + 60 * 8 * 4
    few = prepare(population, SPEC, PopularCatalogue(items=10), Fusion(), (), print, progress=False)
    assert whole - few.push_bytes(PUSHES) == 50 * 8 * 4
    assert base.push_bytes(Pushes(stages=(MergeNet(training=SHORT, teaches="matrix"),))) == 8 * 8 * 4


def test_a_generated_head_and_pushes_do_not_go_together(population: Population) -> None:
    generated = plain(population, SPEC.model_copy(update={"generator": Duet(training=SHORT)}))
    with pytest.raises(UserError, match=r"fleet\.pushes"):
        refreshed(generated, PUSHES, [population])
