"""Parses an index from standard input in a process of its own, with bounds on memory and time.

A parser of C++ may die of crafted bytes; here it takes nobody along. Started by :mod:`shortlist_retrieval.index`.
"""

import resource
import sys

_SPARE_BYTES = 2 << 30
_CPU_S = 100


def main() -> None:
    """Read, bound, parse, search once."""
    content = sys.stdin.buffer.read()
    resource.setrlimit(resource.RLIMIT_AS, (_SPARE_BYTES + 4 * len(content),) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import numpy as np  # after the bounds, so that the libraries are under them too

    from shortlist_retrieval.index import parse, prepare_thread

    prepare_thread()
    index = parse(content)
    if index.d < 1 or index.ntotal < 1:
        raise SystemExit(f"an index over {index.ntotal} x {index.d}")
    index.search(np.zeros((1, index.d), np.float32), 1)


if __name__ == "__main__":
    main()
