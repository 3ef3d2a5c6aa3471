"""``python -m shortlist_gateway``: the gateway alone."""

import uvloop

from shortlist_gateway.settings import GatewaySettings
from shortlist_gateway.wiring import gateway_over_grpc
from shortlist_rpc.server import run
from shortlist_telemetry.catalogue import LogEvent, Metrics
from shortlist_telemetry.logging import configure, get_log


async def _serve(settings: GatewaySettings) -> None:
    metrics = Metrics()
    await run(gateway_over_grpc(settings, metrics), settings, metrics)


def main() -> None:
    """Serve until SIGTERM."""
    settings = GatewaySettings()
    configure(settings.log_level)
    get_log("gateway").info(LogEvent.STARTING, settings=settings.model_dump(mode="json"))
    uvloop.run(_serve(settings))


if __name__ == "__main__":
    main()
