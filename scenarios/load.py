"""A scenario file in, a checked scenario out; and back again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import ValidationError

from scenarios.document import Document, override, read
from scenarios.errors import ScenarioError
from scenarios.refusal import problems
from scenarios.schema import SCHEMA_VERSION, Scenario
from scenarios.schema.data import Imported, Published, Synthetic
from scenarios.schema.fleet import PopularCatalogue
from scenarios.schema.network import Network
from scenarios.schema.pretrained import PretrainedLlm
from scenarios.schema.recommenders import LocalLlm, LocalT5
from scenarios.trace import recording

P = TypeVar("P")

LIBRARY = Path(__file__).parent
"""The scenarios that come with recfleet; `load` takes their names without folder or ending."""


def find(path: Path | str) -> Path:
    """The file that a name means: the file itself, else the scenario of that name in the library.

    Raises `ScenarioError` for a bare name that is neither.
    """
    path = Path(path).expanduser()
    ours = LIBRARY / f"{path}.yaml"
    if path.exists() or path.suffix or path.name != str(path):
        return path
    if ours.is_file():
        return ours
    names = ", ".join(sorted(each.stem for each in LIBRARY.glob("*.yaml")))
    raise ScenarioError(f"{path}: no such file, and none of the scenarios that come with recfleet: {names}")


def load(path: Path | str, schema: type[Scenario[P]], overrides: Sequence[str] = ()) -> Scenario[P]:
    """Read a scenario, apply overrides (`cloud.replicas=4`), check it, and make its paths absolute.

    schema: the scenario with its policies filled in, such as `Scenario[AnyPolicy]`. Paths in the file, and in
    overrides, are relative to the file's folder. Raises `ScenarioError` with a line a problem.
    """
    document = read(find(path))
    override(document, overrides)
    version = document.data.get("version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        raise ScenarioError(
            f"{document.place(('version',))}: version: {version}: this recfleet reads version {SCHEMA_VERSION}"
        )
    try:
        # From JSON and strict: no text becomes a number, no truth value a count, but a list becomes a tuple.
        scenario = schema.model_validate_json(json.dumps(document.data, default=str), strict=True)
    except ValidationError as error:
        raise ScenarioError("\n".join(problems(error, document, schema))) from error
    return _with_references(scenario, document)


def dump(scenario: Scenario[P]) -> str:
    """The resolved scenario as YAML, every key written out; `load` reads it back as an equal one."""
    return str(yaml.safe_dump(scenario.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=110))


def _with_references(scenario: Scenario[P], document: Document) -> Scenario[P]:
    """Make paths absolute and hold what the scenario refers to against what is there."""
    base = Path(document.file).absolute().parent
    source, llm = scenario.data.source, scenario.recommenders.llm
    if isinstance(source, Imported):
        source = source.model_copy(update={"path": base / source.path.expanduser()})
        data = scenario.data.model_copy(update={"source": source})
        scenario = scenario.model_copy(update={"data": data})
    if isinstance(llm, LocalLlm | LocalT5):
        llm = llm.model_copy(update={"path": base / llm.path.expanduser()})
    if isinstance(llm, PretrainedLlm):
        llm = llm.model_copy(update={"model": _model(llm.model, base)})
    recommenders = scenario.recommenders.model_copy(update={"llm": llm})
    scenario = scenario.model_copy(update={"recommenders": recommenders})
    network, unreadable = _with_recordings(scenario.network, base)
    scenario = scenario.model_copy(update={"network": network})
    wrong = [*unreadable, *_dangling(scenario)]
    complaints = [f"{document.place(tuple(key.split('.')))}: {key}: {text}" for key, text in wrong]
    if complaints:
        raise ScenarioError("\n".join(complaints))
    return scenario


def _model(name: str, base: Path) -> str:
    """A folder's absolute path where a folder is meant; else the name as it is, of a published model or on the hub."""
    folder = base / Path(name).expanduser()
    return str(folder) if name.startswith((".", "/", "~")) or folder.is_dir() else name


def _with_recordings(network: Network, base: Path) -> tuple[Network, list[tuple[str, str]]]:
    """Note of each recording of round trips where and what it is; key and complaint for those that cannot be read."""
    keys, complaints = network.model_dump(), []
    owners = {"network": keys} | {f"network.mix.{i}": each for i, each in enumerate(keys["mix"])}
    for owner, of_class in owners.items():
        trip = of_class["round_trip"]
        if trip["kind"] == "trace":
            try:
                trip.update(recording(base / trip["path"].expanduser(), trip["sha256"]))
            except ScenarioError as error:
                complaints.append((f"{owner}.round_trip.path", str(error)))
    return Network.model_validate(keys), complaints


def _dangling(scenario: Scenario[P]) -> list[tuple[str, str]]:
    """Key and complaint for each reference to something that is not there."""
    complaints = []
    source, llm, catalogue = scenario.data.source, scenario.recommenders.llm, scenario.fleet.catalogue
    if isinstance(llm, LocalLlm | LocalT5):
        lacking = [name for name in ("config.json", "*.safetensors") if not any(llm.path.glob(name))]
        if lacking:
            what = "no such folder" if not llm.path.is_dir() else f"lacks {' and '.join(lacking)}"
            complaints.append(("recommenders.llm.path", f"{llm.path}: {what}, expected a Hugging Face model"))
    if isinstance(llm, PretrainedLlm) and Path(llm.model).is_absolute() and not Path(llm.model).is_dir():
        complaints.append(("recommenders.llm.model", f"{llm.model}: no such folder, expected a Hugging Face model"))
    try:
        users, items = _size(source)
    except ScenarioError as error:
        return [*complaints, ("data.source.path", str(error))]
    if not isinstance(source, Synthetic) and source.users is not None and source.users > users:
        complaints.append(("data.source.users", f"{source.users}: the data set has {users}"))
    if scenario.recommenders.list_length > items:
        length = scenario.recommenders.list_length
        complaints.append(("recommenders.list_length", f"{length}: the data set has {items} items"))
    beams, length = getattr(llm, "beams", None), scenario.recommenders.list_length
    if beams is not None and beams < length:
        complaints.append(("recommenders.llm.beams", f"{beams}: fewer than the {length} items of a list"))
    if isinstance(catalogue, PopularCatalogue) and catalogue.items > items:
        complaints.append(("fleet.catalogue.items", f"{catalogue.items}: the data set has {items}"))
    return complaints


def _size(source: Published | Imported | Synthetic) -> tuple[int, int]:
    """Users and items that a source has. Raises `ScenarioError` where an import is not there."""
    match source:
        case Synthetic():
            return source.users, source.items
        case Published():
            from scenarios.datasets import PUBLISHED  # imports pandas

            return PUBLISHED[source.kind].users, PUBLISHED[source.kind].items
        case Imported():
            about = source.path / "about.json"
            try:
                marks = json.loads(about.read_text())
                return int(marks["users"]), int(marks["items"])
            except FileNotFoundError as error:
                what = "not a data set" if source.path.is_dir() else "no such folder"
                raise ScenarioError(f"{source.path}: {what}, expected what `recfleet data import` wrote") from error
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise ScenarioError(f"{source.path}: damaged ({error}); import it again") from error
