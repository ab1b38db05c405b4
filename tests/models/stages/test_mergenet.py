"""A matrix of the device's model is rewritten from the cloud's, by an adapter that learns from where the task leads."""

from typing import Any, get_args

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from models import srms
from models.llms import causal
from models.opened import open_srm
from models.stages import CONTROLS, REWRITTEN, SHAPES, changed_bytes, control, mergenet
from models.stages.mergenet import displacement, learn, rewritten, source
from models.stages.parameter_adapter import Adapter, CrossAttention, low_rank, noise_like, rms
from models.trained import key as plain_key
from models.trained import train_srm
from models.training import train
from models.weights import path_of
from scenarios.cache import home
from scenarios.errors import ModelError
from scenarios.population import Population
from scenarios.schema.recommenders import CausalLlm, Srm, SrmKind
from scenarios.schema.stages import Cooperative, Distillation, MergeNet, Retraining, Stage
from scenarios.schema.training import Training

SHORT = Training(epochs=1, batch_size=8)
SRM = Srm(width=8, layers=2, window=8, training=SHORT)
LLM = CausalLlm(width=12, layers=2, heads=2, window=8, training=SHORT)
SMALL: dict[str, Any] = {"adapter_heads": 2, "adapter_width": 8}


def taught(population: Population, srm: Srm = SRM, **stage: Any) -> str:
    spec = srm.model_copy(update={"stages": (MergeNet(training=SHORT, **SMALL, **stage),)})
    return train_srm(population, spec, LLM, "training", print, progress=False)


def made(stage: MergeNet, target: torch.Tensor, read: torch.Tensor) -> Adapter:
    torch.manual_seed(0)
    return Adapter(target.shape, read.shape, stage)


@pytest.mark.parametrize(("target", "read"), [((6, 10), (3, 14)), ((24, 8), (8, 12)), ((8, 8), (1, 5))])
def test_what_is_made_has_the_shape_of_the_target_on_its_scale(target: tuple[int, int], read: tuple[int, int]) -> None:
    torch.manual_seed(1)
    matrix, other = 0.03 * torch.randn(target), 50 * torch.randn(read)
    for write, size in (("rescaled", 0.03), ("released", 1.0)):
        adapter = made(MergeNet(write=write, **SMALL), matrix, other)
        out = adapter(matrix, other).detach()
        assert out.shape == matrix.shape
        assert float(rms(out)) == pytest.approx(size, rel=0.3)
        assert (out.std(1, correction=0) / out.std(1, correction=0).mean()).allclose(torch.ones(target[0]), atol=1e-2)


def test_a_share_of_what_is_made_is_written() -> None:
    torch.manual_seed(1)
    target, read = torch.randn(6, 10), torch.randn(3, 14)
    whole, part = (made(MergeNet(share=share, **SMALL), target, read).eval() for share in (1.0, 0.25))
    torch.testing.assert_close(part(target, read), 0.75 * target + 0.25 * whole(target, read))


def test_the_source_is_read_by_rows_and_by_columns() -> None:
    """What comes out has a gradient in each number of the source, and follows its rows wherever they stand."""
    torch.manual_seed(1)
    target, read = torch.randn(6, 10), torch.randn(3, 14, requires_grad=True)
    adapter = made(MergeNet(adapter_layers=1, **SMALL), target, read).eval()
    adapter(target, read).square().sum().backward()
    assert read.grad is not None
    assert (read.grad != 0).all()
    attention = adapter.layers[0].rows_on_rows
    assert isinstance(attention, CrossAttention)
    torch.testing.assert_close(attention(target, read[[2, 0, 1]]), attention(target, read))


@torch.no_grad()
def test_a_layer_is_the_mean_of_its_four_attentions_and_a_net_of_bounded_slope() -> None:
    torch.manual_seed(1)
    target, read = torch.randn(6, 10), torch.randn(3, 14)
    layer: Any = made(MergeNet(**SMALL), target, read).eval().layers[0]
    across = layer.rows_on_rows(target, read), layer.rows_on_columns(target, read.T)
    along = layer.columns_on_rows(target.T, read).T, layer.columns_on_columns(target.T, read.T).T
    mixed = torch.stack([*across, *along]).mean(0)
    torch.testing.assert_close(layer(target, read), layer.norm(mixed + layer.feed_forward(mixed)))
    for linear in (layer.feed_forward[0], layer.feed_forward[2]):
        assert float(torch.linalg.matrix_norm(linear.weight, 2)) == pytest.approx(1, rel=0.1)


@torch.no_grad()
def test_attention_is_that_of_torch() -> None:
    torch.manual_seed(1)
    mine = CrossAttention(8, 14, 8, 2).eval()
    theirs = nn.MultiheadAttention(8, 2, kdim=14, vdim=14).eval()
    theirs.q_proj_weight.copy_(mine.query.weight)
    theirs.k_proj_weight.copy_(mine.key.weight)
    theirs.v_proj_weight.copy_(mine.value.weight)
    theirs.in_proj_bias.copy_(torch.cat([mine.query.bias, mine.key.bias, mine.value.bias]))
    theirs.out_proj.load_state_dict(mine.out.state_dict())
    target, read = torch.randn(6, 8), torch.randn(3, 14)
    torch.testing.assert_close(mine(target, read), mine.norm(target + theirs(target, read, read)[0]))


def test_the_adapter_learns_to_make_what_the_task_wanted() -> None:
    """With target and source held fixed its loss falls; the gradient is the displacement, and the target has none."""
    torch.manual_seed(1)
    target, read = 0.1 * torch.randn(8, 8), torch.randn(4, 12)
    after = (0.1 * torch.randn(8, 8)).requires_grad_()
    adapter = made(MergeNet(**SMALL), target, read)
    out = adapter(target, read)
    (slope,) = torch.autograd.grad(displacement(out, after), out, retain_graph=True)
    torch.testing.assert_close(slope, (out - after).detach())
    adapter.eval()
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=0.003)
    losses = []
    for _ in range(60):
        loss = displacement(adapter(target, read), after)
        losses.append(loss.item())
        learn(optimizer, loss)
    assert losses[-1] < losses[0] / 2
    assert after.grad is None


def test_the_adapter_learns_from_where_the_step_after_its_writing_led(
    population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of half the squared way from what it made; by gradients that are cut off at the length released."""
    seen: list[tuple[float, bool]] = []

    class Watched(mergenet.Transfer):
        def on_step_end(self, args: Any, state: Any, control: Any, model: Any, **rest: Any) -> None:
            after = rewritten(model.now).detach().clone()
            before = [each.detach().clone() for each in self.adapter.parameters()]
            made = None if self.made is None else self.made.detach().clone()
            super().on_step_end(args, state, control, model, **rest)
            assert rewritten(model.now).grad is None, "the adapter's loss is its own"
            moved = any(not torch.equal(*each) for each in zip(before, self.adapter.parameters(), strict=True))
            seen.append((0 if made is None else float((made - after).square().sum() / 2), moved))

    def watched(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
        losses.append(loss.item())
        learn(optimizer, loss * 1e9)
        slopes = [each.grad.norm() for group in optimizer.param_groups for each in group["params"]]
        assert float(torch.stack(slopes).norm()) == pytest.approx(50, rel=1e-3)

    losses: list[float] = []
    monkeypatch.setattr(mergenet, "Transfer", Watched)
    monkeypatch.setattr(mergenet, "learn", watched)
    taught(population)
    assert all(moved == (way > 0) for way, moved in seen)
    assert losses == pytest.approx([way for way, _ in seen if way])
    assert len(losses) >= 2


def test_a_factor_is_that_of_the_nearest_matrix_of_its_rank() -> None:
    torch.manual_seed(1)
    matrix = torch.randn(9, 3) @ torch.randn(3, 14)
    factor = low_rank(matrix, 3)
    assert factor.shape == (3, 14)
    torch.testing.assert_close(factor.T @ factor, matrix.T @ matrix, rtol=1e-3, atol=1e-3)
    noise = noise_like(factor)
    torch.testing.assert_close(noise.norm(dim=1), factor.norm(dim=1))
    assert abs(float(torch.corrcoef(torch.stack([noise.flatten(), factor.flatten()]))[0, 1])) < 0.6


def test_the_matrix_that_is_read_is_the_last_that_leads_out_of_a_feed_forward_net() -> None:
    torch.manual_seed(1)
    llm = causal.build(60, LLM)
    layer = llm.network.model.layers[1].mlp.down_proj.weight
    torch.testing.assert_close(source(MergeNet(rank=4), llm), low_rank(layer.detach(), 4))
    table = llm.network.get_input_embeddings().weight.detach()
    torch.testing.assert_close(source(MergeNet(rank=4, matrix="items"), llm), low_rank(table, 4))
    noise = source(MergeNet(rank=4, source="noise"), llm)
    assert torch.equal(noise, source(MergeNet(rank=4, source="noise"), llm))
    assert not torch.allclose(noise, source(MergeNet(rank=4), llm))
    with pytest.raises(ModelError, match="expected matrix: items"):
        source(MergeNet(), nn.Linear(2, 2))


def test_what_adapters_of_the_cloud_s_model_have_learned_is_read_too() -> None:
    peft = pytest.importorskip("peft")
    torch.manual_seed(1)
    llm = causal.build(60, LLM)
    before = source(MergeNet(rank=4), llm)
    peft.inject_adapter_in_model(peft.LoraConfig(r=2, target_modules=["down_proj"]), llm.network)
    torch.testing.assert_close(source(MergeNet(rank=4), llm), before)
    layer = llm.network.model.layers[1].mlp.down_proj
    nn.init.normal_(layer.lora_B["default"].weight)
    whole = layer.weight + layer.scaling["default"] * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    torch.testing.assert_close(source(MergeNet(rank=4), llm), low_rank(whole.detach(), 4))


@pytest.mark.parametrize("kind", sorted(REWRITTEN))
def test_the_matrix_that_is_rewritten_has_the_bytes_that_are_pushed(kind: SrmKind) -> None:
    spec = SRM.model_copy(update={"kind": kind})
    matrix = rewritten(srms.build(60, spec))
    assert set(REWRITTEN) == set(SHAPES) <= set(get_args(SrmKind))
    assert changed_bytes(MergeNet(teaches="matrix"), spec, 10**6) == matrix.numel() * matrix.element_size()
    for stage in (MergeNet(), MergeNet(teaches="all"), Cooperative(), Retraining(), Distillation()):
        assert changed_bytes(stage, spec, 10**6) == 10**6


def test_a_model_of_which_no_matrix_is_known_needs_no_line_here_and_is_refused(
    population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a new model is one file and its name."""
    monkeypatch.delitem(REWRITTEN, "sasrec")
    with pytest.raises(
        ModelError, match="mergenet knows no matrix of sasrec to rewrite, only of gru4rec, ttt4rec, din"
    ):
        taught(population)


def test_without_a_source_it_is_the_model_by_itself(population: Population) -> None:
    name = taught(population, source="none")
    plain = open_srm(60, SRM, plain_key(population, SRM))
    for one, other in zip(plain.state_dict().values(), open_srm(60, SRM, name).state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_sources_tell_and_the_model_alone_is_kept(population: Population) -> None:
    """What is kept opens as a model of its kind, whose weights depend on what was read."""
    names = [taught(population), taught(population, source="noise"), taught(population, source="none")]
    opened = [open_srm(60, SRM, name) for name in names]
    for srm in opened:
        assert not any(isinstance(module, Adapter) for module in srm.modules())
        assert set(srm.state_dict()) == set(srms.build(60, SRM).state_dict())
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not torch.equal(rewritten(opened[one]), rewritten(opened[other]))


def test_held_to_its_matrix_nothing_else_changes(population: Population) -> None:
    name = taught(population, teaches="matrix")
    before = open_srm(60, SRM, plain_key(population, SRM))
    after = open_srm(60, SRM, name)
    changed = [
        which
        for (which, one), other in zip(before.state_dict().items(), after.state_dict().values(), strict=True)
        if not torch.equal(one, other)
    ]
    assert changed == ["blocks.1.feed_forward.3.weight"]


def test_the_matrix_is_written_every_few_steps_and_its_momentum_ends(
    population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two rewritings the matrix is left to the task; at one it is what the adapter made, without momentum."""
    seen: list[tuple[int, bool, float]] = []

    class Watched(mergenet.Transfer):
        def on_step_begin(self, args: Any, state: Any, control: Any, model: Any, optimizer: Any, **rest: Any) -> None:
            before = rewritten(model.now).detach().clone()
            super().on_step_begin(args, state, control, model, optimizer, **rest)
            target = rewritten(model.now)
            momentum = optimizer.state.get(target, {}).get("exp_avg", torch.zeros(1))
            assert self.made is None or torch.equal(target, self.made)
            seen.append((state.global_step, not torch.equal(before, target), float(momentum.abs().max())))

    monkeypatch.setattr(mergenet, "Transfer", Watched)
    taught(population, every=3)
    assert len(seen) >= 4
    for step, written, momentum in seen:
        assert written == (step % 3 == 0)
        assert (momentum == 0) == (step % 3 == 0)


def test_a_training_that_was_stopped_begins_anew(population: Population, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its checkpoints lack the adapter; gone on with, they would give another model."""
    left: list[bool] = []

    def begun(*given: Any, **more: Any) -> Any:
        left.append((home() / "training" / given[4]).exists())
        return train(*given, **more)

    monkeypatch.setattr(mergenet, "train", begun)
    name = taught(population)
    path_of(name).unlink()
    (home() / "training" / name / "checkpoint-1").mkdir(parents=True)
    assert taught(population) == name
    assert left == [False, False]


def test_each_control_is_the_stage_with_its_settings_changed() -> None:
    stage = MergeNet(rank=4)
    assert control(stage, "noise") == MergeNet(rank=4, source="noise")
    assert control(stage, "none") == MergeNet(rank=4, source="none")
    assert control(Distillation(candidates=5), "lists") == Distillation(candidates=5, embedding_weight=0)
    for kind, named in CONTROLS.items():
        made = TypeAdapter[Any](Stage).validate_python({"kind": kind})
        assert len({made, *(control(made, name) for name in named)}) == 1 + len(named)
    with pytest.raises(KeyError):
        control(Retraining(), "noise")


def test_widths_that_heads_do_not_divide_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"adapter_width \(10\) must be a multiple of adapter_heads \(4\)"):
        MergeNet(adapter_width=10, adapter_heads=4)
