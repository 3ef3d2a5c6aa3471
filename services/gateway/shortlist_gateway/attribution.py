"""Attribution tokens: what an answer showed, to come back with the events that follow it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from google.protobuf.message import DecodeError

from shortlist.common.v1 import answer_pb2
from shortlist.gateway.v1.token_claims_pb2 import AttributionClaims
from shortlist_domain.ids import user_id_of
from shortlist_domain.stages import IMPRESSION, ActorKey, Event
from shortlist_gateway.seals import BrokenSeal, Keyring, Purpose


class Attribution:
    """Issues attribution tokens and reads them."""

    def __init__(self, keyring: Keyring, ttl_s: float) -> None:
        """Make an issuer.

        Args:
            keyring: Signs.
            ttl_s: Seconds for which a token is accepted.
        """
        self._keyring = keyring
        self._ttl_s = ttl_s

    def token(
        self,
        rpc: str,
        meta: answer_pb2.AnswerMeta,
        results: Sequence[answer_pb2.Result],
        actor: ActorKey | None,
        now_s: float,
        surface: str = "",
        slate_size: int = 0,
    ) -> str:
        """Return the token of an answer of ``rpc`` that is otherwise complete.

        Args:
            rpc: RPC that answered.
            meta: What the answer says of itself.
            results: What it shows.
            actor: Whom it is for.
            now_s: Seconds since 1970 UTC.
            surface: Page, panel or placement that it is for.
            slate_size: Items wanted, those of earlier pages included.
        """
        propensities = [result.propensity for result in results]
        claims = AttributionClaims(
            slate_id=meta.slate_id,
            request_id=meta.request_id,
            serving_config_version=meta.serving_config_version,
            is_fallback=answer_pb2.DEGRADATION_CAUSE_FALLBACK_CONFIG in meta.degradation.causes,
            tenant=actor.tenant if actor else "",
            actor_id=actor.actor_id if actor else "",
            session_id=actor.session_id if actor else "",
            serving_config=meta.serving_config,
            variants=meta.variants,
            is_variant_forced=meta.is_variant_forced,
            bundle_id=meta.bundle.bundle_id,
            item_ids=[result.item_id for result in results],
            first_rank=results[0].rank if results else 0,
            propensities=propensities if propensities.count(1.0) < len(propensities) else (),
            made_ms=int(now_s * 1000),
            rpc=rpc,
            surface=surface,
            slate_size=slate_size,
        )
        return self._keyring.seal(Purpose.ATTRIBUTION, claims.SerializeToString())

    def read(self, token: str, actor: ActorKey | None, now_s: float) -> AttributionClaims:
        """Return what ``token`` says.

        Args:
            token: From ``AnswerMeta.attribution_token``.
            actor: Who sends it back; a token for nobody is good for everybody, and one for somebody in a session for
                whom else is in it, another user apart. ``None``: whose it is does not matter.
            now_s: Seconds since 1970 UTC.

        Raises:
            BrokenSeal: It was not issued here, was changed, has expired, or is another actor's.
        """
        try:
            claims = AttributionClaims.FromString(self._keyring.open(Purpose.ATTRIBUTION, token))
        except DecodeError as error:
            raise BrokenSeal("is a token of a version that is not known here") from error
        ends_s = claims.made_ms / 1000 + self._ttl_s
        if now_s > ends_s:
            ended = datetime.fromtimestamp(ends_s, UTC).isoformat(timespec="seconds")
            raise BrokenSeal(f"expired at {ended}, {self._ttl_s:g} s after its answer")
        issued_to = ActorKey(claims.tenant, claims.actor_id, claims.session_id)
        if actor is not None and claims.actor_id and not _is_of(issued_to, actor):
            raise BrokenSeal("belongs to another actor")
        return claims


def _is_of(issued_to: ActorKey, actor: ActorKey) -> bool:
    """Return whether a token is its own actor's, or comes from the same session and from no other user."""
    if issued_to.own == actor.own:
        return True
    users = {user_id_of(issued_to.actor_id), user_id_of(actor.actor_id)} - {""}
    session = (issued_to.tenant, issued_to.in_session)
    return bool(issued_to.in_session) and session == (actor.tenant, actor.in_session) and len(users) < 2


def impressions(claims: AttributionClaims) -> Iterator[Event]:
    """Yield the impressions that a token implies. Their ids follow from the slate, so that each is written once."""
    for rank, item_id in enumerate(claims.item_ids, claims.first_rank):
        yield Event(item_id, 1.0, claims.made_ms / 1000, IMPRESSION, f"{claims.slate_id}:{rank}", claims.surface)
