"""The files of a bundle, by name. Who reads what is said beside each."""

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
"""Detached signature of the manifest. Its place is kept; nothing writes it yet."""

ITEM_IDS = "item_ids.blobs"
"""Row to external id, UTF-8; in ascending byte order, so that id to row is a binary search, where ``item_order.rows``
says no other one. Gateway, retrieval and ranking."""

ITEM_DISPLAY = "item_display.blobs"
"""Row to what a caller may show: JSON object with ``title`` and attributes. Gateway."""

POPULAR = "popular.json"
"""Popular rows, best first: ``{"overall": [..], "segment_order": [attribute, ..], "segments": {"gender=F": [..]}}``.
Gateway and retrieval."""

FEATURE_LIST = "features.json"
""":class:`shortlist_bundle.feature_list.FeatureList`. Retrieval and ranking."""

ITEMS = "items.arrow"
"""The items table with every attribute, Arrow IPC, one row an item, in row order. For people."""

ITEM_EMBEDDINGS = "item_embeddings.npy"
"""``float32 (n, d)``: scores are inner products with the user tower's output. Retrieval and ranking."""

ITEM_FEATURES = "item_features.npy"
"""``float32 (n, f)``: static columns, named in the feature list (``item_columns``). Ranking."""

ITEM_COUNTERS = "item_counters.npy"
"""``float64 (n, 2)``: events on the item and the sum of their values when the data ended. Retrieval and ranking."""

NEIGHBOUR_ROWS = "neighbour_rows.npy"
"""``int32 (n, m)``: most similar items of each item, best first, -1 where there are fewer. Retrieval and ranking."""

NEIGHBOUR_SCORES = "neighbour_scores.npy"
"""``float32 (n, m)``: their similarities, 0 where the row is -1."""

INDEX = "index.faiss"
"""FAISS index over the item embeddings, inner product. Retrieval."""

USER_TOWER = "user_tower.onnx"
"""Actor to embedding; inputs as :mod:`shortlist_bundle.actor_inputs` builds them. Retrieval, and ranking for lists that
did not come from retrieval."""

ITEM_TOWER = "item_tower.onnx"
"""Attributes to embedding, for items that the training did not see."""

RANKER = "ranker.onnx"
"""Actor and candidates to head outputs. Ranking."""

CALIBRATION = "calibration.json"
"""Click logit to probability, ``{"version": 1, "method": ...}``: ``platt`` with ``slope`` and ``intercept`` is
``sigmoid(slope * logit + intercept)``; ``isotonic`` with ``logits`` and ``probabilities`` is lines between these knots,
constant beyond the ends. Ranking."""

GOLDEN = "golden.json"
"""Requests with the scores they must get. Retrieval and ranking, before they are ready."""

CONTENT_EMBEDDINGS = "content_embeddings.npy"
"""``float16 (n, c)``: inner products say how alike the texts and images of two items are; zeros where an item has
neither. Optional, with the next one. Retrieval."""

CONTENT = "content.json"
""":class:`shortlist_bundle.content.EventWeights`. Retrieval."""

ITEM_ATTRIBUTES = "item_attributes.blobs"
"""What filters compare, by columns: :mod:`shortlist_bundle.item_attributes`. Optional: bundles of before have none.
Gateway and retrieval."""

CHOSEN_VALUES = "chosen_values.npy"
"""``float32 (f, d)``: what choosing a value of an item attribute adds to the embedding of an actor without events; rows
are the columns of the item features. Optional. Retrieval and ranking."""

ITEM_ORDER = "item_order.rows"
"""``uint32 (n)``: rows in ascending order of their ids. Optional: of bundles to which items were added (the last rows).
Gateway, retrieval and ranking."""

ITEM_TIMES = "item_times.npy"
"""``float64 (n, 2)``: 1 where it is known when the item came, else 0, and the seconds since 1970 UTC. Optional: bundles
of before have none. Retrieval."""

USERS = "users.json"
"""Whose users the next four are about, as :func:`shortlist_bundle.user_ids.users_file` writes it. Optional, all five
or none: user ids are personal data, and a bundle is copied, kept and cannot be changed. Gateway and retrieval."""

USER_IDS = "user_ids.blobs"
"""Row to user id, UTF-8, in ascending byte order. Gateway and retrieval."""

USER_VECTORS = "user_vectors.npy"
"""``float32 (u, d - 1)``: where the taste of each user points (:mod:`shortlist_bundle.user_vectors`). Retrieval."""

USER_SCALES = "user_scales.npy"
"""``float32 (u, 2)``: :class:`shortlist_bundle.user_vectors.UserScales`. Retrieval."""

USER_INDEX = "user_index.faiss"
"""FAISS index over the user vectors, inner product. Retrieval."""

USER_FILES = (USERS, USER_IDS, USER_VECTORS, USER_SCALES, USER_INDEX)

SEGMENT_LIFTS = "segment_lifts.npy"
"""``float16 (v, n)``: :class:`shortlist_bundle.segment_lifts.SegmentLifts`, a row for each value of the feature list's
user categories. Optional: users without attributes, and bundles of before, have none. Ranking."""

REQUIRED = (
    ITEM_IDS,
    ITEM_DISPLAY,
    POPULAR,
    FEATURE_LIST,
    ITEMS,
    ITEM_EMBEDDINGS,
    ITEM_FEATURES,
    ITEM_COUNTERS,
    NEIGHBOUR_ROWS,
    NEIGHBOUR_SCORES,
    INDEX,
    USER_TOWER,
    ITEM_TOWER,
    RANKER,
    CALIBRATION,
    GOLDEN,
)
