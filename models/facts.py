"""What a summary says of recommenders."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from models import weights
from models.head import burden
from scenarios.schema.adaptation import NoAdaptation
from scenarios.schema.recommenders import LocalLlm, LocalT5

if TYPE_CHECKING:
    from models.recommenders import Recommenders


def facts(recommenders: Recommenders) -> dict[str, Any]:
    """Sizes, keys and validation accuracy of the models; nothing that depends on the clock."""
    spec, items = recommenders.spec, recommenders.population.behaviour.n_items
    srm = weights.read_facts(recommenders.srm_key)
    assert srm is not None
    own = weights.size_within(recommenders.srm_key, "backbone.") if spec.generator is not None else srm
    vectors = items * spec.srm.width * 4
    told: dict[str, Any] = {
        "srm": {
            "kind": spec.srm.kind,
            "weights": recommenders.srm_key,
            "parameters": own.parameters,
            "bytes_without_item_vectors": own.bytes - vectors,
            "validation_ndcg_at_10": srm.validation_ndcg_at_10,
            "epochs": srm.epochs,
            "state_bytes": srm.state_bytes,
        },
        "device_catalogue": {"items": recommenders.part.vectors, "bytes": recommenders.part.bytes(spec.srm.width)},
        "answer_items": recommenders.outcomes.answer_items,
        "precision": spec.precision,
    }
    if not isinstance(recommenders.adaptation, NoAdaptation):
        told["device_adaptation"] = asdict(burden(recommenders.adaptation, spec.srm.width))
    if spec.generator is not None:
        # What was judged while they were trained is the device's model with heads that are new.
        judged = told["srm"].pop("validation_ndcg_at_10")
        parameters = srm.parameters - own.parameters
        told["generator"] = {
            "kind": spec.generator.kind,
            "parameters": parameters,
            "validation_ndcg_at_10": judged,
        }
        told["parameter_bytes"] = recommenders.parameter_bytes
    if recommenders.pushed:
        told["pushed"] = [_of_weights(key) for key in recommenders.pushed]
    if spec.llm is None or recommenders.llm_key is None:
        return told
    told["llm"] = {"kind": spec.llm.kind, "weights": recommenders.llm_key}
    if isinstance(spec.llm, LocalLlm | LocalT5):
        told["llm"] |= weights.size_of_folder(spec.llm.path)
    else:
        llm = weights.read_facts(recommenders.llm_key)
        assert llm is not None
        told["llm"] |= {
            "parameters": llm.parameters,
            "validation_ndcg_at_10": llm.validation_ndcg_at_10,
            "epochs": llm.epochs,
        }
    return told


def _of_weights(key: str) -> dict[str, Any]:
    made = weights.read_facts(key)
    assert made is not None
    return {"weights": key, "validation_ndcg_at_10": made.validation_ndcg_at_10, "epochs": made.epochs}
