"""Plots as SVG inside the page, by matplotlib; where that is not installed, pages say so and show their tables."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from shortlist_evaluation.report import MetricTable

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7f7f7f")
"""Okabe and Ito 2008: told apart also by most colour-blind people; markers differ as well."""

MARKERS = "osD^vPX*"
MISSING = "Plots need matplotlib: install shortlist[report]. The tables hold the same numbers."

_SETTINGS: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e6ea",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "text.parse_math": False,
}


def is_possible() -> bool:
    """Return whether plots can be drawn here."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def intervals(name: str, table: MetricTable, metric: str) -> str:
    """Return mean and interval of one metric, a line for each list."""
    rows = [(row.name, row.metrics[metric]) for row in table.rows if metric in row.metrics]
    if not rows:
        return ""

    def draw(axes: Any) -> None:
        for at, (_, each) in enumerate(rows):
            error = [[each.mean - each.low], [each.high - each.mean]]
            axes.errorbar(each.mean, at, xerr=error, fmt=_marker(at), color=_colour(at), capsize=4, markersize=7)
        axes.set_yticks(range(len(rows)), [label for label, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel(f"{metric}, mean and 95 % interval")

    said = "; ".join(f"{label} {each.mean:.4f}" for label, each in rows)
    return _figure(name, f"{metric} by list: {said}.", draw, height=0.9 + 0.38 * len(rows))


def lines(
    name: str,
    caption: str,
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    labels: tuple[str, str],
    *,
    ticks: Sequence[str] | None = None,
    is_log: bool = False,
    with_markers: bool = True,
) -> str:
    """Return lines over a shared axis.

    Args:
        name: Makes the ids of the plot its own.
        caption: What it shows, in a sentence.
        series: By name, x and y.
        labels: Of the axes.
        ticks: Names of the x positions 0, 1, ...
        is_log: The x axis is logarithmic.
        with_markers: Points are marked.
    """
    if not series:
        return ""

    def draw(axes: Any) -> None:
        for at, (label, (x, y)) in enumerate(series.items()):
            axes.plot(x, y, marker=_marker(at) if with_markers else "", color=_colour(at), label=label, markersize=5)
        if is_log:
            axes.set_xscale("log")
            axes.set_xticks(sorted({each for x, _ in series.values() for each in x}))
            axes.get_xaxis().set_major_formatter(lambda value, _: f"{value:g}")
            axes.minorticks_off()
        if ticks is not None:
            axes.set_xticks(range(len(ticks)), ticks, rotation=30, ha="right")
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        axes.legend(loc="best", fontsize=9)

    return _figure(name, caption, draw)


def reliability(name: str, bins: Sequence[Mapping[str, float]]) -> str:
    """Return a reliability diagram: predicted against observed, with the interval of each bin."""
    shown = [each for each in bins if each["predicted"] > 0]
    if not shown:
        return ""

    def draw(axes: Any) -> None:
        low = min(min(each["predicted"], each["observed"] or each["predicted"]) for each in shown) / 2
        high = min(1.0, 2 * max(max(each["predicted"], each["high"]) for each in shown))
        axes.plot([low, high], [low, high], color="#7f7f7f", linestyle="--", label="as predicted")
        x = [each["predicted"] for each in shown]
        y = [max(each["observed"], low) for each in shown]
        below = [max(0.0, at - max(each["low"], low)) for at, each in zip(y, shown, strict=True)]
        above = [max(0.0, each["high"] - at) for at, each in zip(y, shown, strict=True)]
        axes.errorbar(x, y, yerr=[below, above], fmt="o", color=COLOURS[0], capsize=4, label="observed, 95 % interval")
        axes.set_xscale("log")
        axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:g}")
            axis.set_minor_formatter(lambda value, _: "")
        axes.set_xlabel("mean predicted probability")
        axes.set_ylabel("share that came true")
        axes.legend(loc="upper left", fontsize=9)

    count = int(sum(each["count"] for each in bins))
    text = f"Reliability of the click probability: {len(bins)} bins of equal size over {count:,} candidates."
    return _figure(name, text, draw, height=4.2)


def _figure(name: str, caption: str, draw: Callable[[Any], None], height: float = 3.6) -> str:
    if not is_possible():
        return ""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context({**_SETTINGS, "svg.hashsalt": name}):
        figure = Figure(figsize=(7.2, height), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.subplots())
        content = io.StringIO()
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
    drawn = f'<div class="plot">{_inline(content.getvalue(), name, caption)}</div>'
    return f"<figure>{drawn}<figcaption>{escape(caption)}</figcaption></figure>"


def _inline(svg: str, name: str, caption: str) -> str:
    """Return the drawing alone, with ids that no other plot of the page has."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg)
    svg = re.sub(r"\bid=\"([^\"]+)\"", rf'id="{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    svg = re.sub(r"xlink:href=\"#([^\"]+)\"", rf'href="#{name}-\1"', svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(caption, quote=True)}"', 1)


def _colour(at: int) -> str:
    return COLOURS[at % len(COLOURS)]


def _marker(at: int) -> str:
    return MARKERS[at % len(MARKERS)]
