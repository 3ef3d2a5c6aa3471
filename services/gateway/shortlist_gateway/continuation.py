"""Continuations: the next page of a slate, from a token that any replica can read.

A page is not an offset into something kept, and not a request without what was shown. It is the slate of the same
request, composed anew up to the page's end, without the rows of earlier pages: while nothing changes, pages laid end to
end are the one long slate that a single call would have given, limits, caps, pins and diversity included; whatever
changes, no item comes twice and the best that was not shown comes first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import accumulate, pairwise

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from shortlist.common.v1 import answer_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.token_claims_pb2 import ContinuationClaims
from shortlist_domain.errors import BundleMismatch, Expired, InvalidRequest, Violation
from shortlist_gateway.bundles import ActiveBundle
from shortlist_gateway.checks import MAX_SLATE, Checks
from shortlist_gateway.configs.config import Answered, Serving
from shortlist_gateway.query import Level, Query, Slate
from shortlist_gateway.seals import BrokenSeal, Keyring, Purpose

MAX_CARRIED_BYTES = 4096
"""Largest request that travels inside its token; of a larger one the token has the digest, and the caller the rest."""

ReadRequest = Callable[[pb.RecommendRequest, float, Serving], Query]
"""Checks a request as of a moment, under the config that answers it, and returns its query."""

Resumed = Callable[[Answered, str], Serving]
"""Returns how a request is answered that was answered before, and that names a config."""


class Continuation:
    """Issues tokens for the next page and turns them back into queries."""

    def __init__(self, keyring: Keyring, bundles: ActiveBundle, ttl_s: float, read: ReadRequest) -> None:
        """Make an issuer.

        Args:
            keyring: Signs.
            bundles: Tells which bundles are held.
            ttl_s: Seconds from the first page for which pages are given.
            read: Reads the request that a token carries.
        """
        self._keyring = keyring
        self._bundles = bundles
        self._ttl_s = ttl_s
        self._read = read

    def add_token(self, meta: answer_pb2.AnswerMeta, request: pb.RecommendRequest, slate: Slate, query: Query) -> None:
        """Write into ``meta`` the token of the page after ``slate``, where there can be one."""
        shown = {*query.shown_rows, *(shown.row for shown in slate.results if shown.row is not None)}
        is_short = len(slate.results) < query.page_size and slate.level in (Level.NONE, Level.PARTIAL)
        if is_short or not slate.results or len(shown) >= MAX_SLATE:
            return
        carried = request.SerializeToString(deterministic=True)
        is_large = len(carried) > MAX_CARRIED_BYTES
        if not is_large and not request.slate_size:  # so that pages are as long whatever becomes of the config
            carried += pb.RecommendRequest(slate_size=query.page_size).SerializeToString()
        claims = ContinuationClaims(
            request=b"" if is_large else carried,
            request_digest=hashlib.sha256(carried).digest() if is_large else b"",
            bundle_id=slate.catalogue.bundle_id,
            shown_row_steps=_steps(shown),
            started_s=query.now_s,
            serving_config=query.serving.config.name,
            serving_config_version=query.serving.config.version,
            variants=query.serving.variants,
            is_fallback=query.serving.is_fallback,
            is_variant_forced=query.serving.is_forced,
        )
        meta.next_token = self._keyring.seal(Purpose.CONTINUATION, claims.SerializeToString())
        meta.next_token_expire_time.CopyFrom(Timestamp(seconds=int(query.now_s + self._ttl_s)))

    def resume(
        self, request: pb.RecommendNextRequest, now_s: float, resumed: Resumed
    ) -> tuple[pb.RecommendRequest, Query]:
        """Return the request that is gone on with, and the query of its next page.

        Raises:
            InvalidRequest: A field is wrong, or the token was not issued here.
            Expired: The token was good once: its time is over, its bundle or serving config is not there any more, or
                the config does not keep a filter any more that the request names.
        """
        checks = Checks()
        checks.request_id(request.request_id)
        if request.slate_size:
            checks.slate_size(request.slate_size)
        try:
            claims = ContinuationClaims.FromString(self._keyring.open(Purpose.CONTINUATION, request.next_token))
        except (BrokenSeal, DecodeError) as error:
            reason = str(error) if isinstance(error, BrokenSeal) else "is a token of a version that is not known here"
            checks.wrong("next_token", reason if request.next_token else "is required")
            claims = ContinuationClaims()
        base = _base(checks, request, claims)
        checks.done()
        self._check_time(claims, now_s)
        # As of the first page, so that hours and ages are those that the first page was made with.
        name = claims.serving_config or base.serving_config
        answered = Answered(
            name, claims.serving_config_version, claims.variants, claims.is_fallback, claims.is_variant_forced
        )
        serving = resumed(answered, base.serving_config)
        try:
            query = self._read(base, claims.started_s, serving)
        except InvalidRequest as error:  # it was right once: the config is another one now
            said = f"serving config {name!r} does not suit the first page's request any more: {error}"
            raise Expired(f"{said}; call Recommend again") from error
        shown = frozenset(accumulate(claims.shown_row_steps))
        page_size = request.slate_size or query.slate_size
        most = query.serving.config.slate_size
        if most and page_size > most:
            if query.serving.config.version == claims.serving_config_version:
                said = f"is {page_size}; serving config {name!r} allows at most {most}"
                raise InvalidRequest(Violation("slate_size", said))
            page_size = most
        self._check_held(claims.bundle_id)
        return base, replace(
            query,
            request_id=request.request_id or query.request_id,
            slate_size=min(MAX_SLATE, len(shown) + page_size),
            bundle_id=claims.bundle_id,
            shown_rows=shown,
        )

    def check_answered(self, request: pb.RecommendNextRequest, slate: Slate, query: Query) -> None:
        """Say where a page is shorter than asked for, and end one that was not made with the first page's bundle.

        Raises:
            Expired: A stage has let go of the bundle.
        """
        if query.page_size < request.slate_size:
            config = query.serving.config
            why = f"all pages together end after {MAX_SLATE} items"
            if query.page_size == config.slate_size:
                why = f"serving config {config.name!r} allows no more now"
            slate.warnings.append(f"slate_size: {query.page_size}, since {why}")
        try:
            self._bundles.check_made(slate)
        except BundleMismatch as error:
            raise _gone(error.wanted) from error

    def _check_time(self, claims: ContinuationClaims, now_s: float) -> None:
        ends_s = claims.started_s + self._ttl_s
        if now_s > ends_s:
            ended = datetime.fromtimestamp(ends_s, UTC).isoformat(timespec="seconds")
            raise Expired(
                f"next_token: expired at {ended}, {self._ttl_s:g} s after the first page; call Recommend again"
            )

    def _check_held(self, bundle_id: str) -> None:
        try:
            self._bundles.pinned(bundle_id)
        except BundleMismatch as error:
            raise _gone(bundle_id) from error


def _base(checks: Checks, request: pb.RecommendNextRequest, claims: ContinuationClaims) -> pb.RecommendRequest:
    """Return the first page's request, from the token or, where it is too large for that, from the caller."""
    if not claims.request_digest:
        if request.HasField("request"):
            checks.wrong("request", "is in the token already; leave it unset")
        return pb.RecommendRequest.FromString(claims.request)
    if not request.HasField("request"):
        most = MAX_CARRIED_BYTES
        checks.wrong(
            "request", f"is required: the first page's, which has more than {most} bytes and is not in the token"
        )
    elif hashlib.sha256(request.request.SerializeToString(deterministic=True)).digest() != claims.request_digest:
        checks.wrong("request", "is not the first page's")
    return request.request


def _steps(rows: Iterable[int]) -> list[int]:
    """Return ascending rows as differences, which take a byte or two each on the wire where rows take four."""
    ordered = sorted(rows)
    return [*ordered[:1], *(after - before for before, after in pairwise(ordered))]


def _gone(bundle_id: str) -> Expired:
    return Expired(f"next_token: expired, bundle {bundle_id} is not held any more; call Recommend again")
