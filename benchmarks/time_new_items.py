"""Times how long a new item takes from the command to the first answer that shows it, with calls going on.

Run: `python benchmarks/time_new_items.py var/bundles` over a bundle store that is copied, or with `--items 100000` over a
made bundle of so many items. `shortlist serve` runs as it does by default; `shortlist bundles add-items` adds one item at a
time; a caller asks 50 times a second for slates and counts what fails or is degraded.
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import grpc
import numpy as np
import polars as pl

from shortlist.common.v1 import actor_pb2, answer_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_bundle import golden, layout
from shortlist_bundle.store import BundleStore
from shortlist_cli.bench.server import served
from shortlist_retrieval.index import build_index
from shortlist_testing.tiny_bundle import publish, tiny_files

DIMENSIONS = 65
EVERY_S = 0.02


def main() -> None:
    """Print the seconds of each repetition and what became of the other calls."""
    asked = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        var = Path(folder)
        if asked.items:
            files = tiny_files(asked.items, DIMENSIONS)
            files[layout.INDEX] = _index(files)
            publish(var / "bundles", files)
        else:
            shutil.copytree(asked.store, var / "bundles")
        store = BundleStore(var / "bundles")
        with served(var, "") as (address, _), grpc.insecure_channel(address) as channel:
            outcomes: Counter[str] = Counter()
            stop = threading.Event()
            traffic = threading.Thread(target=_call, args=(RecommendationServiceStub(channel), stop, outcomes))
            traffic.start()
            took = [_add(store, channel, f"new-{n}", var) for n in range(asked.times)]
            stop.set()
            traffic.join()
        release = store.current()
        window = store.open(release).manifest if release else None
        print(f"{window.metrics['index/n']:,.0f} items" if window else "", f"on {os.cpu_count()} cores")
        for name, column in zip(("command", "first answer"), np.array(took).T, strict=True):
            print(f"{name}: median {np.median(column):.2f} s, {column.min():.2f} to {column.max():.2f}")
        print("calls meanwhile:", dict(outcomes))


def _index(files: dict[str, bytes]) -> bytes:
    """Return an index that finds what the actors of the golden requests look for: made vectors have little order."""
    queries = np.array([request.embedding for request in golden.from_json(files[layout.GOLDEN])], np.float32)
    return build_index(np.load(io.BytesIO(files[layout.ITEM_EMBEDDINGS])), queries)[0]


def _add(store: BundleStore, channel: grpc.Channel, item_id: str, folder: Path) -> tuple[float, float]:
    """Add an item like the first of the bundle; return the seconds of the command, and until an answer shows it."""
    release = store.current()
    if release is None:
        raise SystemExit(f"{store.root} holds no bundle")
    table = pl.read_ipc(store.open(release).read(layout.ITEMS))[:1].with_columns(item_id=pl.lit(item_id))
    table.write_parquet(folder / "new.parquet")
    started = time.perf_counter()
    tool = [sys.executable, "-m", "shortlist_cli.main", "bundles", "add-items"]
    command = [*tool, str(folder / "new.parquet"), "--store", str(store.root)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - ourselves
    published_s = time.perf_counter() - started
    stub, request = RecommendationServiceStub(channel), pb.RerankItemsRequest(item_ids=[item_id])
    request.actor.user_id = "anybody"
    while stub.RerankItems(request, timeout=5).meta.missing_ids:
        time.sleep(EVERY_S)
    return published_s, time.perf_counter() - started


def _call(stub: RecommendationServiceStub, stop: threading.Event, outcomes: Counter[str]) -> None:
    for number in range(1 << 30):
        request = pb.RecommendRequest(actor=actor_pb2.Actor(user_id=str(number % 900)), slate_size=10)
        try:
            level = stub.Recommend(request, timeout=1.0).meta.degradation.level
            outcomes[answer_pb2.DegradationLevel.Name(level)] += 1
        except grpc.RpcError as error:
            outcomes[error.code().name] += 1
        if stop.wait(EVERY_S):
            return


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path, nargs="?", default=Path("var/bundles"), help="bundle store to copy")
    parser.add_argument("--items", type=int, default=0, help="make a bundle of so many items instead")
    parser.add_argument("--times", type=int, default=5, help="items to add, one after the other (default: 5)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
