"""``shortlist bench``: open-loop load on ``shortlist serve``, bounded, on loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def bench(
    var: Annotated[Path, typer.Option(help="Work folder with data, bundles and the embedded store.")] = Path("var"),
    address: Annotated[str, typer.Option(help="Gateway to load; empty: start `shortlist serve` on VAR.")] = "",
    rps: Annotated[float, typer.Option(min=0.1, max=5000, help="Requests a second, at fixed intervals.")] = 50.0,
    duration_s: Annotated[float, typer.Option(min=1, max=600, help="Seconds of load.")] = 30.0,
    warm_up_s: Annotated[float, typer.Option(min=0, max=60, help="Seconds of load before it counts.")] = 5.0,
    candidates: Annotated[int, typer.Option(min=1, max=2000, help="Candidates to retrieve and rank.")] = 500,
    slate_size: Annotated[int, typer.Option(min=1, max=1000, help="Items wanted.")] = 10,
    timeout_s: Annotated[float, typer.Option(min=0.01, max=10, help="Deadline of each request.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Picks the users.")] = 0,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the figures here as well.")] = None,
) -> None:
    """Load a gateway at a fixed rate and print latency percentiles.

    Requests leave when they are due, whatever became of those before (open loop), and latency counts from that moment,
    so that queueing shows. Users are drawn from the data set that the bundle was trained on.

    Example: shortlist bench --rps 50 --duration-s 30
    """
    import json

    from rich.console import Console

    from shortlist_cli.bench.load import Load, measure
    from shortlist_cli.bench.report import figures, table
    from shortlist_cli.bench.server import served, users_of
    from shortlist_domain.errors import ShortlistError

    console = Console()
    load = Load(rps, duration_s, warm_up_s, candidates, slate_size, timeout_s, seed)
    try:
        users = users_of(var)
        with served(var, address) as (target, process):
            console.print(f"{load.requests} requests at {rps:g}/s to {target}, {len(users):,} users, seed {seed}")
            samples = measure(target, load, users)
    except ShortlistError as error:
        typer.secho(f"bench: {error}", fg="red", err=True)
        raise typer.Exit(1) from error
    result = figures(samples, load, var, process)
    console.print(table(result))
    if json_path:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(result, indent=1) + "\n")
    if result["failed"]:
        raise typer.Exit(1)
