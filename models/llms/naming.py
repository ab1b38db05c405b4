"""The codes by which a scenario's T5 names the items of a population."""

from __future__ import annotations

from models.behaviour_vectors import behaviour_vectors
from models.llms.item_codes import ItemCodes, digits, own_tokens
from models.llms.semantic_ids import semantic
from scenarios.datasets.published import Announce
from scenarios.population import Population
from scenarios.schema.recommenders import T5Llm


def item_codes(population: Population, spec: T5Llm, announce: Announce) -> ItemCodes:
    """Raises `ModelError` where ids are to come of titles and there are none, `Unreachable` where no text model is.

    announce: takes the lines of a text model's licence, where it has to be fetched.
    """
    match spec.item_ids:
        case "digits":
            return digits(population.behaviour.n_items)
        case "token":
            return own_tokens(population.behaviour.n_items)
        case "semantic_behaviour":
            return semantic(behaviour_vectors(population), spec.levels, spec.codebook, spec.training.seed)
        case "semantic_text":
            from models.text import title_vectors

            vectors = title_vectors(population.behaviour, announce)
            return semantic(vectors, spec.levels, spec.codebook, spec.training.seed)
