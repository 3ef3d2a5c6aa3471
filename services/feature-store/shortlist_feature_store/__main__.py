"""``python -m shortlist_feature_store``: the feature store alone."""

import uvloop

from shortlist_feature_store.settings import FeatureStoreSettings
from shortlist_feature_store.wiring import FeatureStoreService
from shortlist_rpc.server import run
from shortlist_telemetry.catalogue import LogEvent, Metrics
from shortlist_telemetry.logging import configure, get_log


def main() -> None:
    """Serve until SIGTERM."""
    settings = FeatureStoreSettings()
    configure(settings.log_level)
    get_log("feature-store").info(LogEvent.STARTING, settings=settings.model_dump(mode="json"))
    uvloop.run(run(FeatureStoreService(settings), settings, Metrics()))


if __name__ == "__main__":
    main()
