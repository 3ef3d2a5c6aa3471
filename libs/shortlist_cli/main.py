"""The command line. Commands import what they need when they run, so that ``--help`` is quick."""

from __future__ import annotations

import typer

from shortlist_cli import bundle_commands, config_commands, data_commands, slate_commands
from shortlist_cli.ask_command import recommend
from shortlist_cli.bench_command import bench
from shortlist_cli.benchmark_command import benchmark
from shortlist_cli.demo_command import demo
from shortlist_cli.evaluate_command import evaluate
from shortlist_cli.load_commands import load
from shortlist_cli.report_command import report
from shortlist_cli.serve_command import serve
from shortlist_cli.train_commands import train

app = typer.Typer(
    name="shortlist",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    help="From ratings to a shortlist over gRPC: get data, train, publish, serve, ask, measure.",
)
app.add_typer(data_commands.app, name="data")
app.command()(train)
app.command()(evaluate)
app.command()(report)
app.command()(load)
app.command()(serve)
app.command()(recommend)
app.add_typer(bundle_commands.app, name="bundles")
app.add_typer(config_commands.app, name="configs")
app.add_typer(slate_commands.app, name="slates")
app.command()(bench)
app.command()(benchmark)
app.command()(demo)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
