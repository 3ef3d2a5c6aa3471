"""Writes what a run made into the files of a bundle."""

from __future__ import annotations

import numpy as np

from shortlist_bundle import blob_table, golden, layout
from shortlist_bundle.arrays import array_bytes
from shortlist_bundle.content import content_files
from shortlist_bundle.feature_list import FeatureList, Vocabulary
from shortlist_data.features import item_totals
from shortlist_models.inputs import CONTEXT_NUMBERS, ITEM_NUMBERS, USER_NUMBERS
from shortlist_models.rankers.served import ranker_file
from shortlist_trainer.choose import CALIBRATION_MEANING, Choices
from shortlist_trainer.config import TrainConfig
from shortlist_trainer.fit import Fitted
from shortlist_trainer.golden_requests import golden_requests
from shortlist_trainer.item_attributes import attributes_file
from shortlist_trainer.item_files import items_file, json_bytes, shown_fields
from shortlist_trainer.item_times import item_times
from shortlist_trainer.prepare import Prepared
from shortlist_trainer.tower_files import item_tower_file, user_tower_file
from shortlist_trainer.user_vectors import BuildIndex, user_files


def feature_list(prepared: Prepared, config: TrainConfig, choices: Choices) -> FeatureList:
    """Return what the models of a run expect."""
    categories, weights = prepared.categories, choices.order.weights
    return FeatureList(
        history_length=config.two_tower.history_length,
        user_categories=tuple(
            Vocabulary(name, values) for name, values in zip(categories.names, categories.values, strict=True)
        ),
        user_numbers=USER_NUMBERS,
        context_numbers=CONTEXT_NUMBERS,
        item_numbers=ITEM_NUMBERS,
        item_columns=prepared.item_columns,
        head_weights={"click": weights.click, "rating": weights.rating},
        neighbour_half_life_s=config.neighbours.half_life_s,
        prior=weights.prior,
        item_time=config.newest.attribute,
        source_quotas=config.fusion.shares(has_content=prepared.content is not None),
    )


def bundle_files(
    fitted: Fitted, config: TrainConfig, build_index: BuildIndex
) -> tuple[dict[str, bytes], dict[str, float]]:
    """Return the files of the bundle by name, and facts about them by the name of their metric."""
    prepared, towers, neighbours, choices = fitted.prepared, fitted.towers, fitted.neighbours, fitted.choices
    dataset = prepared.dataset
    table = np.ascontiguousarray(towers.table.numpy())
    features = feature_list(prepared, config, choices)
    index, built = build_index(table)
    facts = {f"index/{name}": value for name, value in built.items()}
    calibrated = choices.calibrated
    calibration = {
        "version": 1,
        "method": calibrated.method,
        **calibrated.calibration.parameters(),
        "ece_before": calibrated.ece_before,
        "ece": calibrated.ece,
        "prevalence": choices.prevalence,
        "meaning": CALIBRATION_MEANING,
    }
    files = {
        layout.ITEM_IDS: blob_table.encode(item_id.encode() for item_id in dataset.item_ids),
        layout.ITEM_DISPLAY: blob_table.encode(shown_fields(dataset.items)),
        layout.ITEM_ATTRIBUTES: attributes_file(dataset.items),
        layout.POPULAR: fitted.popular.to_json(),
        layout.FEATURE_LIST: features.to_json(),
        layout.ITEMS: items_file(dataset.items),
        layout.ITEM_EMBEDDINGS: array_bytes(table),
        layout.ITEM_FEATURES: array_bytes(prepared.item_features),
        layout.ITEM_TIMES: array_bytes(item_times(dataset, config.newest.attribute)),
        layout.ITEM_COUNTERS: array_bytes(item_totals(dataset, dataset.events)),
        layout.NEIGHBOUR_ROWS: array_bytes(neighbours.rows),
        layout.NEIGHBOUR_SCORES: array_bytes(neighbours.scores),
        layout.INDEX: index,
        layout.USER_TOWER: user_tower_file(towers, len(features.user_categories)),
        layout.ITEM_TOWER: item_tower_file(towers),
        layout.RANKER: ranker_file(fitted.pipeline.scorer.ranker, features.history_length),
        layout.CALIBRATION: json_bytes(calibration),
    }
    if (chosen := fitted.pipeline.retrieval.chosen_vectors) is not None:
        files[layout.CHOSEN_VALUES] = array_bytes(chosen)
    if (lifts := fitted.pipeline.retrieval.lifts) is not None:
        files[layout.SEGMENT_LIFTS] = array_bytes(lifts.table)
    if prepared.content is not None:
        files |= content_files(prepared.content)
    if config.users.vectors:
        temperature = config.two_tower.temperature
        of_users, facts_of_users = user_files(prepared, towers, config.users.tenant, temperature, build_index)
        files |= of_users
        facts |= facts_of_users
    files[layout.GOLDEN] = golden.to_json(golden_requests(prepared, features, choices.calibrated.calibration, files))
    return files, facts
