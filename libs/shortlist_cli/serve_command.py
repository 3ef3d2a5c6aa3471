"""``shortlist serve``: every stage in one process, or one stage."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Stage(StrEnum):
    """What to serve."""

    ALL = "all"
    GATEWAY = "gateway"
    RETRIEVAL = "retrieval"
    RANKING = "ranking"
    FEATURE_STORE = "feature-store"


class LogLevel(StrEnum):
    """Levels of the log."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


def serve(
    stage: Annotated[Stage, typer.Argument(help="One stage, or all of them in this process.")] = Stage.ALL,
    var: Annotated[Path, typer.Option(help="Work folder: bundles and the embedded Valkey.")] = Path("var"),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="Port; the stage's own where left out, 0 for a free one.")] = None,
    redis_url: Annotated[
        str, typer.Option(envvar="SHORTLIST_FEATURE_STORE_REDIS_URL", help="Redis; empty runs a Valkey of our own.")
    ] = "",
    log_level: Annotated[LogLevel, typer.Option(help="Lowest level that is logged.")] = LogLevel.INFO,
) -> None:
    """Serve until SIGTERM or Ctrl-C.

    All other settings come from the environment, SHORTLIST_<STAGE>_<FIELD>; what is given here wins.

    Examples:
      shortlist serve
      shortlist serve retrieval --port 50052
    """
    import sys

    import uvloop
    from pydantic import ValidationError

    from shortlist_cli.serving import service_of
    from shortlist_rpc.server import run
    from shortlist_telemetry.catalogue import LogEvent, Metrics
    from shortlist_telemetry.logging import configure, get_log

    given = {"host": host, "log_level": log_level.value, **({} if port is None else {"port": port})}

    async def serve_on() -> None:
        metrics = Metrics()
        service, settings = service_of(stage.value, var, redis_url, given, metrics)
        get_log("serve").info(LogEvent.STARTING, stage=stage.value, settings=settings.model_dump(mode="json"))
        await run(service, settings, metrics)

    try:
        configure(log_level.value)
        uvloop.run(serve_on())
    except ValidationError as error:
        wrong = "; ".join(
            # Numbers alone are shown: a text may be a key or a password.
            ".".join(map(str, e["loc"]))
            + (f"={e['input']}" if isinstance(e["input"], int | float) else "")
            + f": {e['msg']}"
            for e in error.errors()
        )
        typer.secho(f"cannot serve: {error.title}: {wrong}", fg="red", err=True)
        sys.exit(1)
    except (OSError, ValueError) as error:
        typer.secho(f"cannot serve: {error}", fg="red", err=True)
        sys.exit(1)
