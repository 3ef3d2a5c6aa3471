"""Elements of a page, and the page around them: no script, nothing from elsewhere, readable on a phone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light; --line: #d5d9de; --soft: #f4f6f8; --ink: #1b1f24; --pale: #5b6570; --link: #0b57a4; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #fff; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .5rem; border-bottom: 2px solid var(--line); overflow-wrap: anywhere; }
h3 { font-size: 1.02rem; margin: 1.4rem 0 .4rem; overflow-wrap: anywhere; }
p { margin: .4rem 0; max-width: 62rem; }
nav a { display: inline-block; padding: .35rem .8rem .35rem 0; color: var(--link); }
.scroll { overflow-x: auto; margin: .6rem 0; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: separate; border-spacing: 0; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: .5rem .6rem; font-weight: 600; background: var(--soft); }
th, td { padding: .35rem .6rem; text-align: right; white-space: nowrap; border-top: 1px solid var(--line);
  vertical-align: top; }
th[scope=row], thead th:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
thead th { background: var(--soft); }
thead th:first-child { background: var(--soft); }
table.text th { text-align: left; }
td.text { text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 8rem; }
td small { display: block; color: var(--pale); }
td .up { color: #0a5c36; } td .down { color: #9b1c1c; }
td.best { font-weight: 700; }
figure { margin: .8rem 0; } .plot { overflow-x: auto; }
.plot svg { width: 100%; min-width: 30rem; max-width: 46rem; height: auto; display: block; }
figcaption, .note { color: var(--pale); font-size: .92rem; max-width: 62rem; }
details { margin: .5rem 0; } summary { cursor: pointer; padding: .45rem 0; color: var(--link); font-weight: 600; }
.warn { border-left: 4px solid #b45309; background: #fff7ed; padding: .5rem .8rem; }
a:focus-visible, summary:focus-visible, .scroll:focus-visible { outline: 3px solid #1d6fd1; outline-offset: 2px; }
footer { margin: 3rem 0 1rem; color: var(--pale); font-size: .9rem; }
"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(title: str, sections: Iterable[tuple[str, str, str]], lead: str, foot: str = "") -> str:
    """Return a whole page.

    Args:
        title: Plain text.
        sections: Anchor, heading in plain text, and HTML of each; those without HTML are left out.
        lead: HTML below the title.
        foot: Plain text at the end.
    """
    shown = [(anchor, heading, content) for anchor, heading, content in sections if content]
    links = "".join(f'<a href="#{anchor}">{escape(heading)}</a>' for anchor, heading, _ in shown)
    body = "".join(
        f'<section aria-labelledby="{anchor}"><h2 id="{anchor}">{escape(heading)}</h2>{content}</section>'
        for anchor, heading, content in shown
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body><main><header><h1>{escape(title)}</h1>"
        f'{lead}<nav aria-label="Sections">{links}</nav></header>\n{body}\n<footer>{escape(foot)}</footer>'
        "</main></body></html>\n"
    )


def table(
    caption: str, heads: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]], *, is_text: bool = False
) -> str:
    """Return a table that scrolls sideways where it is too wide.

    Args:
        caption: Plain text.
        heads: Headings in plain text, that of the row names first.
        rows: Name in plain text, and the cells as HTML.
        is_text: Cells are words rather than numbers.
    """
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in heads)
    kind = ' class="text"' if is_text else ""
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(cell if cell.startswith("<td") else f"<td{kind}>{cell}</td>" for cell in cells)
        + "</tr>"
        for name, cells in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table{kind}>'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def pairs(caption: str, values: Mapping[str, Any]) -> str:
    """Return names and values as a table of two columns; empty where there are none."""
    if not values:
        return ""
    rows = [(name, [escape(_plain(value))]) for name, value in values.items()]
    return table(caption, ("", "value"), rows, is_text=True)


def paragraph(text: str, kind: str = "") -> str:
    """Return plain text as a paragraph, empty where there is none."""
    return f"<p{f' class={kind!r}' if kind else ''}>{escape(text)}</p>" if text else ""


def folded(summary: str, content: str) -> str:
    """Return HTML that is shown when asked for; empty where there is none."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>" if content else ""


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings with names like ``two_tower.epochs``."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.6g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
