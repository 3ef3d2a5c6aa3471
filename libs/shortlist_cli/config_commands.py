"""``shortlist configs``: serving configs of a running gateway."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from shortlist.gateway.v1 import serving_config_service_pb2 as pb
    from shortlist_client.configs import ServingConfigs

app = typer.Typer(no_args_is_help=True, help="Look at serving configs, put them, roll them back.")

Address = Annotated[str, typer.Option(help="Gateway, host:port.")]
Name = Annotated[str, typer.Argument(help="Config by name.")]
Expected = Annotated[
    int | None,
    typer.Option(help="Version that is to be replaced; 0: there must be none. Another one there: nothing is changed."),
]
_ADDRESS = "127.0.0.1:50051"


class Form(StrEnum):
    """How a config is printed."""

    YAML = "yaml"
    JSON = "json"


@app.command("list")
def list_configs(address: Address = _ADDRESS) -> None:
    """List all serving configs, and what is wrong with them.

    Example: shortlist configs list
    """
    from shortlist_cli.show import page

    with _configs(address) as configs:
        found = configs.list()
    console = page()
    console.print(_table(found.records))
    for record in found.records:
        for problem in record.problems:
            console.print(f"[yellow]{record.config.name}[/]: ", end="")
            console.print(problem, markup=False)


@app.command()
def get(
    name: Name = "default",
    version: Annotated[int, typer.Option(min=0, help="A version of its history; 0 is the current one.")] = 0,
    form: Annotated[Form, typer.Option("--format", help="How it is printed; `put` reads both.")] = Form.YAML,
    address: Address = _ADDRESS,
) -> None:
    """Print a serving config as a file that `put` takes.

    Examples:
      shortlist configs get home > home.yaml

      shortlist configs get home --version 7
    """
    import json

    import yaml
    from google.protobuf.json_format import MessageToDict

    with _configs(address) as configs:
        record = configs.get(name, version=version).record
    content = MessageToDict(record.config, preserving_proto_field_name=True)
    if form is Form.JSON:
        typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
    else:
        typer.echo(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), nl=False)
    _tell(record)


@app.command()
def put(
    file: Annotated[Path, typer.Argument(help="JSON or YAML of a ServingConfig; without a name in it, named like it.")],
    expected_version: Expected = None,
    validate_only: Annotated[bool, typer.Option("--validate-only", help="Check everything and write nothing.")] = False,
    address: Address = _ADDRESS,
) -> None:
    """Create or replace a serving config from a file.

    Examples:
      shortlist configs put home.yaml --validate-only

      shortlist configs put home.yaml --expected-version 7
    """
    from google.protobuf.json_format import ParseError

    from shortlist_gateway.configs.files import read_message

    try:
        config = read_message(file)
    except OSError as error:
        _fail(f"{file}: {error.strerror}")
    except (ValueError, TypeError, ParseError) as error:
        _fail(f"{file}: {' '.join(str(error).split())}")
    with _configs(address) as configs:
        record = configs.put(config, expected_version=expected_version, validate_only=validate_only).record
    _say(record, is_dry=validate_only)


@app.command()
def delete(name: Name, expected_version: Expected = None, address: Address = _ADDRESS) -> None:
    """Delete a serving config; `rollback` brings it back for 30 days.

    Example: shortlist configs delete home
    """
    with _configs(address) as configs:
        configs.delete(name, expected_version=expected_version)
    typer.echo(f"{name} is deleted")


@app.command()
def history(name: Name, address: Address = _ADDRESS) -> None:
    """List the versions of a serving config, newest first.

    Example: shortlist configs history home
    """
    from shortlist_cli.show import page

    with _configs(address) as configs:
        found = configs.versions(name)
    page().print(_table(found.records, is_history=True))


@app.command()
def rollback(
    name: Name,
    version: Annotated[int, typer.Option(min=0, help="Version to go back to; 0 is the one before the current.")] = 0,
    expected_version: Expected = None,
    validate_only: Annotated[bool, typer.Option("--validate-only", help="Check everything and write nothing.")] = False,
    address: Address = _ADDRESS,
) -> None:
    """Write what a serving config was before as its new version.

    Examples:
      shortlist configs rollback home

      shortlist configs rollback home --version 7
    """
    with _configs(address) as configs:
        back = configs.rollback(name, version=version, expected_version=expected_version, validate_only=validate_only)
    _say(back.record, is_dry=validate_only)


@contextmanager
def _configs(address: str) -> Iterator[ServingConfigs]:
    """Lend the configs of a gateway; what it refuses ends the command with its words."""
    import grpc

    from shortlist_cli.show import refusal
    from shortlist_client import Client

    with Client(address) as client:
        try:
            yield client.serving_configs
        except grpc.RpcError as error:
            _fail(refusal(address, error))


def _table(records: Any, *, is_history: bool = False) -> Table:
    from rich.table import Table

    from shortlist.gateway.v1 import serving_config_service_pb2 as pb

    table = Table()
    for heading in ("version", "written", "state") if is_history else ("name", "version", "from", "written", "about"):
        table.add_column(heading, overflow="fold")
    for record in records:
        written = record.write_time.ToJsonString() if record.HasField("write_time") else ""
        if is_history:
            state = "deleted" if record.is_deleted else "; ".join(record.problems)
            table.add_row(str(record.version), written, state)
            continue
        origin = pb.ServingConfigOrigin.Name(record.origin).removeprefix("SERVING_CONFIG_ORIGIN_").lower()
        where = record.file or origin.replace("_", " ")
        table.add_row(record.config.name, str(record.version), where, written, record.config.description)
    return table


def _say(record: pb.ServingConfigRecord, *, is_dry: bool) -> None:
    said = "is valid; nothing was written" if is_dry else f"is at version {record.version}"
    typer.echo(f"{record.config.name} {said}")
    _tell(record)


def _tell(record: pb.ServingConfigRecord) -> None:
    for problem in record.problems:
        typer.secho(f"{record.config.name}: {problem}", fg="yellow", err=True)


def _fail(reason: str) -> Any:
    typer.secho(reason, fg="red", err=True)
    raise typer.Exit(1)
