"""``python -m shortlist_ranking``: ranking alone."""

import os


def main() -> None:
    """Serve until SIGTERM."""
    # Read by the numerical libraries when they are imported, hence the imports below: the executor owns the cores,
    # nobody else starts threads.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

    import uvloop

    from shortlist_ranking.settings import RankingSettings
    from shortlist_ranking.wiring import RankingService
    from shortlist_rpc.server import run
    from shortlist_telemetry.catalogue import LogEvent, Metrics
    from shortlist_telemetry.logging import configure, get_log

    async def serve(settings: RankingSettings) -> None:
        metrics = Metrics()
        await run(RankingService(settings, metrics), settings, metrics)

    settings = RankingSettings()
    configure(settings.log_level)
    get_log("ranking").info(LogEvent.STARTING, settings=settings.model_dump(mode="json"))
    uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
