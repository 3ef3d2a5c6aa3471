"""What content brings, on validation: overall and for events on items that retrieval was not fitted on.

    shortlist data embed var/data/ml-100k --archive ml-1m-content.zip --archive ml-1m-posters.zip
    python benchmarks/content.py var/data/ml-100k text,image
    python benchmarks/content.py var/data/ml-100k none

Fits a whole run with seed 1 on the kinds of content that are named and prints two tables. Test events are not looked at.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from shortlist_data.prepared import load
from shortlist_trainer.checkpoints import Checkpoints
from shortlist_trainer.evaluate import held_out_places, rolling_values, sampled, table_of
from shortlist_trainer.fit import Clock, fit
from shortlist_trainer.presets import load_config, preset_for

SEED = 1
EVENTS = 1_500
"""Validation events of the table over all of them, a sample; those on new items are all taken."""

RECALL_AT = 200
RESAMPLES = 2_000


def main() -> int:
    """Fit and print the tables."""
    if len(sys.argv) < 3:
        sys.stderr.write("give a prepared data set and kinds of content: text, image, both with a comma, or none\n")
        return 2
    kinds = sys.argv[2].split(",")
    whole = load(Path(sys.argv[1]))
    dataset = replace(whole, content={kind: held for kind, held in whole.content.items() if kind.value in kinds})
    overrides = [f"evaluation.validation_events={EVENTS}", *sys.argv[3:]]
    config = load_config(preset_for(dataset.events), overrides=overrides, seed=SEED)
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(Path(folder), "", resume=False)
        pipeline = fit(dataset, config, checkpoints, lambda *_: None, Clock()).pipeline
    prepared, split, sequences = pipeline.prepared, pipeline.prepared.split, pipeline.prepared.sequences
    places = held_out_places(prepared, split.train_end, split.validation_end, sys.maxsize, SEED)
    is_new = np.bincount(dataset.item_rows[: prepared.fit_end], minlength=prepared.n_items) == 0
    new = places[is_new[sequences.items[places]]]
    for name, chosen in (("all", sampled(places, EVENTS, SEED)), ("new items", new)):
        if not len(chosen):
            print(f"{name}: no event to evaluate")
            continue
        values = rolling_values(pipeline, chosen, RECALL_AT, lambda *_: None)
        title = f"{dataset.name}, validation, {name}, content: {', '.join(sorted(dataset.content)) or 'none'}"
        table = table_of(title, values, sequences.users[chosen], SEED, RESAMPLES, 0, ())
        print(table.to_markdown(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
