"""``shortlist evaluate``: models under a protocol, a bundle stage by stage, a gateway as it answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

_STORE = Path("var/bundles")


def evaluate(
    data: Annotated[Path, typer.Argument(help="Folder of a prepared data set, as `shortlist data get` makes one.")],
    model: Annotated[
        list[str] | None,
        typer.Option(help="Candidate model; may be repeated.", show_default="popularity"),
    ] = None,
    protocol: Annotated[str, typer.Option(help="leave-one-out, random, per-user-time or global-time.")] = "global-time",
    share: Annotated[float, typer.Option(help="Share of the events held out; leave-one-out takes none.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Seed of cuts, models and resampling.")] = 1,
    positive_from: Annotated[
        float | None, typer.Option(help="Take out events with a value below this one before the cut.")
    ] = None,
    warm_only: Annotated[
        bool, typer.Option("--warm-only", help="Leave out users and items without a known event.")
    ] = False,
    k: Annotated[
        list[int] | None, typer.Option("-k", help="Length of the lists; may be repeated.", show_default="10")
    ] = None,
    sampled_negatives: Annotated[
        int, typer.Option(help="Rank among this many drawn items, to reproduce a publication; 0: the whole catalogue.")
    ] = 0,
    liked_from: Annotated[
        float | None, typer.Option(help="Ask predicted ratings to tell values from here on from those below (AUC).")
    ] = None,
    against: Annotated[
        str, typer.Option(help="Model to compare with.", show_default="popularity, else the first")
    ] = "",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A training setting, as in two_tower.epochs=5; may be repeated.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Folder of a training run: its bundle, stage by stage, on its own test part.")
    ] = None,
    bundle: Annotated[str, typer.Option(help="The same for a bundle by its id, or current.")] = "",
    store: Annotated[Path | None, typer.Option(help="Bundle store.", show_default=str(_STORE))] = None,
    target: Annotated[str, typer.Option(help="Ask a running gateway, host:port, for every held-out user.")] = "",
    as_users: Annotated[
        bool, typer.Option("--as-users", help="Ask it by user id alone, about what it has stored.")
    ] = False,
    concurrency: Annotated[int, typer.Option(help="Calls under way at a time.", min=1, max=256)] = 8,
    timeout_s: Annotated[float, typer.Option(help="Deadline of each call in seconds.", min=0.01)] = 2.0,
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples behind each interval.", min=10)] = 2000,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the results to this file.")] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", help="Write a page with tables and plots, without anything from elsewhere.")
    ] = None,
) -> None:
    """Measure models on events that were held out, over the whole catalogue, with intervals and paired tests.

    All models are fitted before the held-out part is opened. What every figure means is in
    services/trainer/README.md.

    Examples:
      shortlist evaluate var/data/ml-100k

      shortlist evaluate var/data/ml-1m --protocol leave-one-out --model popularity --model ease -k 10 -k 50

      shortlist evaluate var/data/ml-1m --positive-from 3 --warm-only --model item_knn --json out.json

      shortlist evaluate var/data/ml-100k --run var/runs/ml-100k

      shortlist evaluate var/data/ml-100k --target 127.0.0.1:50051 --bundle current --html served.html
    """
    from shortlist_cli.evaluate.choose import Choice, evaluated
    from shortlist_cli.evaluate.show import progress_bar, show
    from shortlist_data.prepared import load
    from shortlist_domain.errors import ShortlistError
    from shortlist_trainer.evaluation.models import Options
    from shortlist_trainer.evaluation.protocols import Rules
    from shortlist_trainer.evaluation.results import write, write_text
    from shortlist_trainer.pages.evaluation_page import evaluation_page

    try:
        choice = Choice(
            rules=Rules(protocol, share, seed, positive_from, warm_only),
            options=Options(
                ks=tuple(dict.fromkeys(k or (10,))),
                sampled_negatives=sampled_negatives,
                against=against,
                liked_from=liked_from,
                seed=seed,
                resamples=resamples,
            ),
            models=tuple(model or ()),
            settings=tuple(set_ or ()),
            run=run,
            bundle=bundle,
            store=store or _STORE,
            is_store_given=store is not None,
            target=target,
            as_users=as_users,
            concurrency=concurrency,
            timeout_s=timeout_s,
        )
        dataset = load(data)
        with progress_bar() as report:
            found = evaluated(dataset, choice, report)
        show(found)
        if json_file is not None:
            write(found, json_file)
        if html_file is not None:
            write_text(evaluation_page(json.loads(found.to_json())), html_file)
    except (ShortlistError, OSError) as error:
        typer.secho(f"evaluate: {error}", fg="red", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as stop:
        typer.secho("evaluate: stopped; nothing was written", err=True)
        raise typer.Exit(130) from stop
