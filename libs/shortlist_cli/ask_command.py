"""``shortlist recommend``: ask a running gateway and print the answer as a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer


def recommend(
    user_id: Annotated[str, typer.Argument(help="User to recommend for; an unknown one is fine.")],
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="Items wanted.")] = 10,
    address: Annotated[str, typer.Option(help="Gateway, host:port.")] = "127.0.0.1:50051",
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            help="Something about the user, name=value, for this answer; may be repeated. Several values of one name "
            "are chosen values of an item attribute, such as genres."
        ),
    ] = None,
    filter_: Annotated[
        str, typer.Option("--filter", help="Which items may appear, as in 'genres:\"Comedy\" AND year >= 1990'.")
    ] = "",
    config: Annotated[str, typer.Option(help="Serving config by name.")] = "",
    tenant: Annotated[str, typer.Option(help="Tenant.")] = "",
    timeout_s: Annotated[float, typer.Option(min=0.01, help="Deadline in seconds.")] = 1.0,
) -> None:
    """Ask a running gateway for a shortlist and print it.

    Examples:
      shortlist recommend 42 -k 5

      shortlist recommend 42 --filter 'genres:"Comedy" AND NOT year < 1990'

      shortlist recommend 42 --config home

      shortlist recommend nobody --attribute gender=F --attribute genres=Comedy --attribute genres=Drama
    """
    import grpc
    from rich.console import Console

    from shortlist_cli.show import answer_table, notes, refusal
    from shortlist_client import Client

    console = Console()
    attributes = _attributes(attribute or ())
    with Client(address, tenant=tenant) as client:
        try:
            answer = client.recommend(
                user_id,
                slate_size=k,
                item_fields=["*"],
                attributes=attributes,
                filter=filter_,
                serving_config=config,
                timeout_s=timeout_s,
            )
        except grpc.RpcError as error:
            typer.secho(refusal(address, error), fg="red", err=True)
            raise typer.Exit(1) from None
    console.print(answer_table(answer, f"For user {user_id}"))
    console.print(notes(answer))


def _attributes(given: Iterable[str]) -> dict[str, str | list[str]]:
    """Return attributes by name: a text, or several where a name comes repeatedly.

    Raises:
        typer.BadParameter: One is not of the form ``name=value``.
    """
    listed: dict[str, list[str]] = {}
    for each in given:
        name, separator, value = each.partition("=")
        if not name or not separator:
            raise typer.BadParameter(f"{each!r} is not of the form name=value", param_hint="--attribute")
        listed.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in listed.items()}
