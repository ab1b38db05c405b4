"""A scenario's models: the key that each is kept by, and its training, which happens once.

What one command has trained, all have. Nothing here imports torch until a model is made, so that a run whose outcomes
are all stored stays quick.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, assert_never

from filelock import FileLock

from models import stages, weights
from models.catalogue import LARGE
from models.llms.located import fetched, located
from models.opened import open_llm, open_srm, untrained
from scenarios.cache import content_key, home
from scenarios.errors import ModelError, UserError, WriteError
from scenarios.population import Population
from scenarios.schema.pretrained import PretrainedLlm
from scenarios.schema.recommenders import CausalLlm, LocalLlm, LocalT5, T5Llm
from scenarios.schema.recommenders import Llm as LlmSpec
from scenarios.schema.recommenders import Srm as SrmSpec
from scenarios.schema.stages import Stage

if TYPE_CHECKING:
    from models.llms.base import Llm
    from models.srms.base import Srm

Announce = Callable[[str], None]

READING = ("reading.py", "ranking.py")
TRAINING = (*READING, "training.py", "windows.py", "validation.py", "catalogue_loss.py")
"""Source files whose change makes older weights another thing, whatever the model."""
T5 = tuple(f"llms/{name}.py" for name in ("t5", "trie", "beam", "decoder", "item_codes", "prompt", "tied"))
CODES = {
    "digits": (),
    "token": (),
    "semantic_text": ("llms/naming.py", "llms/semantic_ids.py", "text.py"),
    "semantic_behaviour": ("llms/naming.py", "llms/semantic_ids.py", "behaviour_vectors.py"),
}


def sources(spec: SrmSpec | LlmSpec) -> tuple[str, ...]:
    """The model's own source files."""
    match spec:
        case SrmSpec():
            return ("srms/base.py", f"srms/{spec.kind}.py")
        case CausalLlm():
            return ("llms/causal.py", "llms/architecture.py", "llms/tied.py")
        case LocalLlm():
            return ("llms/causal.py", "llms/local_causal.py", "llms/checkpoint.py")
        case PretrainedLlm():
            return ("llms/causal.py", "llms/pretrained.py", "llms/tuning.py", "llms/vocabulary.py", "text.py")
        case T5Llm():
            return (*T5, *CODES[spec.item_ids])
        case LocalT5():
            return (*T5, "llms/local_t5.py", "llms/checkpoint.py")
        case _:
            assert_never(spec)


def key(population: Population, spec: SrmSpec | LlmSpec) -> str:
    """Names the weights, or the files of a local model and how they are read. Raises `ModelError` where those lack.

    How lists are searched is no part of it: that is up to whoever asks.
    """
    match spec:
        case LocalLlm():
            return content_key("local", weights.folder_digest(spec.path), spec.window)
        case LocalT5():
            return content_key("local_t5", weights.folder_digest(spec.path), spec.item_ids, spec.window)
    side = "srm" if isinstance(spec, SrmSpec) else "llm"
    training = TRAINING if population.behaviour.n_items <= LARGE else (*TRAINING, "sampling.py")
    code = weights.code_digest(*training, *sources(spec))
    told = spec.model_dump(exclude={"beams", "constrained", "stages"})
    if isinstance(spec, PretrainedLlm):
        # By what lies there, wherever that is.
        told["model"] = weights.folder_digest(located(spec.model))
    return content_key(side, weights.population_key(population), told, code)


def searched_by(llm: LlmSpec | None) -> tuple[int | str | None, ...]:
    """How its lists are searched, for keys of what depends on them: its beams, and whether these are held to items."""
    return getattr(llm, "beams", None), *([] if getattr(llm, "constrained", True) else ["unconstrained"])


def train_once(population: Population, spec: SrmSpec | LlmSpec, label: str, announce: Announce, progress: bool) -> str:
    """Train and keep a model, unless weights of its key are there; two runs that need it at once train it once.

    Gives its key; a local model is trained by nobody. label: what the bar calls the training. Raises `ModelError`, and
    `UserError` for a full disk.
    """
    if isinstance(spec, PretrainedLlm):
        fetched(spec.model, announce)
    name = key(population, spec)
    if isinstance(spec, LocalLlm | LocalT5):
        return name

    def make() -> tuple[Any, weights.Facts]:
        from models.training import train

        maker = untrained(population, spec, announce)
        return train(maker, population, spec.window, spec.training, name, label, silent=not progress)

    once(name, make, announce)
    return name


def train_srm(
    population: Population, spec: SrmSpec, llm: LlmSpec | None, label: str, announce: Announce, progress: bool
) -> str:
    """The same for the device's model with all its stages; those that ask the cloud's model have that trained first.

    Options that end in `_at_test` are for its use alone: it learns without them.
    """
    options = {name: value for name, value in spec.options.items() if not name.endswith("_at_test")}
    pupil = spec.model_copy(update={"options": options})
    name = train_once(population, pupil, label, announce, progress)
    for stage in spec.stages:
        name = teach_once(population, pupil, llm, stage, name, label, announce, progress)
    if pupil == spec:
        return name
    learned, name = name, content_key("at test", name, spec.options)
    once(name, lambda: (open_srm(population.behaviour.n_items, spec, learned), _facts(learned)), announce)
    return name


def teach_once(
    population: Population,
    spec: SrmSpec,
    llm: LlmSpec | None,
    stage: Stage,
    before: str,
    label: str,
    announce: Announce,
    progress: bool,
) -> str:
    """Have a stage done to the model of the key `before`; gives the key of the outcome.

    Raises `ModelError` where it asks a language model and there is none.
    """
    teacher = asked = ""
    if stages.FROM_THE_CLOUD[stage.kind]:
        if llm is None:
            raise ModelError(f"recommenders.llm: null, but the stage {stage.kind} learns from the cloud's model")
        teacher = train_once(population, llm, "training the cloud's model", announce, progress)
        asked = content_key(teacher, *searched_by(llm))
    code = weights.code_digest(*TRAINING, *sources(spec), *stages.sources(stage))
    streams = weights.population_key(population)
    name = content_key("stage", before, streams, asked, stage.model_dump(), code)

    def open_teacher() -> Llm:
        assert llm is not None, "a stage that asks no teacher asked for it"
        return open_llm(population.behaviour.n_items, llm, teacher)

    def make() -> tuple[Any, weights.Facts]:
        from models import srms
        from models.stages.course import Course

        items = population.behaviour.n_items
        course = Course(
            population,
            fresh=lambda: srms.build(items, spec),
            pupil=lambda: open_srm(items, spec, before).train(),
            teacher=open_teacher,
            teacher_key=asked,
            window=spec.window,
            key=name,
            label=f"{label}: {stage.kind}",
            announce=announce,
            silent=not progress,
            words=located(llm.model) if isinstance(llm, PretrainedLlm) else None,
        )
        return stages.teach(stage, course)

    once(name, make, announce)
    return name


def once(name: str, make: Callable[[], tuple[Any, weights.Facts]], announce: Announce) -> None:
    """Make and keep weights, unless those of this key are there; two that need them at once make them once.

    Raises `WriteError` where they, or a checkpoint of the training, cannot be written.
    """
    try:
        weights.path_of(name).parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(weights.path_of(name).with_suffix(".lock")).acquire()
    except OSError as error:
        raise UserError(f"{home()}: cannot be written ({error.strerror or error})") from error
    with lock:
        try:
            if weights.read_facts(name) is not None:
                return
        except ModelError as error:
            announce(f"{error}; training anew")
        try:
            _make(name, make)
        except Exception as error:
            if not _of_a_disk(error):
                raise
            raise WriteError(f"{home()}: weights cannot be written; is the disk full? ({error})") from error


def _make(name: str, make: Callable[[], tuple[Any, weights.Facts]]) -> None:
    model, facts = make()
    from models.evaluation import state_bytes
    from models.srms.base import Srm

    on_device = getattr(model, "backbone", model)  # of what generates parameters, the part that stays on the device
    if isinstance(on_device, Srm):
        facts = replace(facts, state_bytes=state_bytes(on_device))
    weights.save(model, name, facts)


def _of_a_disk(error: Exception) -> bool:
    """Whether it is how safetensors and torch say that a file could not be written; neither raises `OSError`."""
    from safetensors import SafetensorError

    said = {SafetensorError: ("I/O error",), RuntimeError: ("inline_container", "iostream error")}
    return any(each in str(error) for each in said.get(type(error), ()))


def sized(population: Population, spec: LlmSpec, announce: Announce) -> Llm:
    """The cloud's model for what its size costs alone: as it lies there, untrained where nobody has trained it yet."""
    if isinstance(spec, PretrainedLlm):
        fetched(spec.model, announce)
    name = key(population, spec)
    if isinstance(spec, LocalLlm | LocalT5) or weights.read_facts(name) is not None:
        return open_llm(population.behaviour.n_items, spec, name)
    model: Llm = untrained(population, spec, announce)().eval()
    return model


def trained(
    population: Population, spec: SrmSpec | LlmSpec, llm: LlmSpec | None, label: str, announce: Announce, progress: bool
) -> tuple[Srm | Llm, weights.Facts]:
    """A model by itself, not in training, and its facts; it is trained first if it is not yet.

    One of a local folder is what lies there, in 0 epochs. llm: the cloud's model, which stages of a device's model may
    ask. label: what the bar calls the training. Raises `ModelError`, and `UserError` for a full disk.
    """
    items = population.behaviour.n_items
    if isinstance(spec, SrmSpec):
        name = train_srm(population, spec, llm, label, announce, progress)
        return open_srm(items, spec, name), _facts(name)
    name = train_once(population, spec, label, announce, progress)
    if isinstance(spec, LocalLlm | LocalT5):
        given: Any = open_llm(items, spec, name)
        return given, weights.Facts(None, epochs=0, seconds=0.0, **weights.size_of(given))
    return open_llm(items, spec, name), _facts(name)


def _facts(name: str) -> weights.Facts:
    facts = weights.read_facts(name)
    assert facts is not None
    return facts
