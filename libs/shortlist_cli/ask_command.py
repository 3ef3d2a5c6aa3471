"""``shortlist recommend``: ask a running gateway and print the answer as a table."""

from __future__ import annotations

from typing import Annotated

import typer


def recommend(
    user_id: Annotated[str, typer.Argument(help="User to recommend for; an unknown one is fine.")],
    k: Annotated[int, typer.Option("-k", help="Items wanted, 1 to 1000.")] = 10,
    address: Annotated[str, typer.Option(help="Gateway, host:port.")] = "127.0.0.1:50051",
    tenant: Annotated[str, typer.Option(help="Tenant.")] = "",
    timeout_s: Annotated[float, typer.Option(help="Deadline in seconds.")] = 1.0,
) -> None:
    """Ask a running gateway for a shortlist and print it.

    Example: shortlist recommend 42 -k 5
    """
    import grpc
    from rich.console import Console

    from shortlist_cli.show import answer_table, notes
    from shortlist_client import Client

    console = Console()
    with Client(address, tenant=tenant) as client:
        try:
            answer = client.recommend(user_id, slate_size=k, item_fields=["*"], timeout_s=timeout_s)
        except grpc.RpcError as error:
            console.print(f"[red]{address} answered {error.code().name}[/]: {error.details()}")
            raise typer.Exit(1) from None
    console.print(answer_table(answer, f"For user {user_id}"))
    console.print(notes(answer))
