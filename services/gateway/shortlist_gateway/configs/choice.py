"""Which config answers a request: the one it names, a variant of its experiment, or the fallback of either."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import NamedTuple

from shortlist.common.v1 import selection_pb2
from shortlist_domain.errors import Expired, InvalidRequest, NotFound, NotReady, Violation
from shortlist_domain.stages import ActorKey
from shortlist_gateway.configs.config import Answered, Experiment, Serving, ServingConfig, Variant
from shortlist_gateway.configs.held import Origin
from shortlist_gateway.configs.references import MAX_FALLBACKS
from shortlist_gateway.configs.registry import ServingConfigs
from shortlist_gateway.query import Query, Slate

Read = Callable[[Serving], Query]
"""Reads one request under a config; raises InvalidRequest where it is wrong or would widen the config."""

Run = Callable[[Query], Awaitable[Slate]]


class Asked(NamedTuple):
    """What is asked, and how it is read under a config that answers instead."""

    query: Query
    read: Read | None = None
    """``None`` where no other config may answer: it has been answered already."""


class ServingChoice:
    """Chooses configs for requests."""

    def __init__(self, configs: ServingConfigs) -> None:
        self._configs = configs

    def query(self, name: str, read: Read, forced: str = "") -> Query:
        """Return the query of a request that names the config ``name``.

        Args:
            name: Config by name.
            read: Reads the request.
            forced: Variant that answers, as ``experiment:variant``; empty: the one that the actor falls to.

        Raises:
            NotFound: There is no such config.
            NotReady: It cannot be used, or is not known yet.
            InvalidRequest: What ``read`` finds, under any variant that has a weight, or under the forced one; there is
                no variant ``forced``.
        """
        config = self._configs.config(name)
        if forced:
            return self._forced(config, read, forced)
        if config.experiment is None:
            return read(Serving(config, warnings=self._unread(config)))
        experiment = config.experiment
        queries = {
            variant.name: read(self._variant(config, experiment, variant))
            for variant in experiment.variants
            if variant.weight
        }
        first = next(iter(queries.values()))
        chosen = queries[assigned(experiment, first.actor, first.request_id).name]
        return replace(chosen, request_id=first.request_id)

    def resumed(self, answered: Answered, asked: str = "") -> Serving:
        """Return how a request is answered that was answered before.

        Args:
            answered: What its token says.
            asked: Config that the request names.

        Raises:
            Expired: The config is gone.
            NotReady: It cannot be used, or is not known yet.
        """
        try:
            config = self._configs.config(answered.name)
        except NotFound as error:
            raise Expired(f"{error}; call Recommend again") from error
        warnings = self._unread(config)
        if config.version != answered.version:
            warnings += (
                f"serving_config: {config.name!r} is at version {config.version}; "
                f"the answer before was made at version {answered.version}",
            )
        named = self._configs.usable().get(asked)
        return Serving(
            config,
            tuple(answered.variants),
            is_strict=False,
            is_fallback=answered.is_fallback,
            is_forced=answered.is_forced,
            warnings=warnings,
            asked_filters=named.filters if named is not None else {},
        )

    def reordered(self, config: ServingConfig, name: str) -> ServingConfig:
        """Return ``config`` with the ranker and the weights of heads of the config ``name``.

        Raises:
            NotFound: There is no such config.
            NotReady: It cannot be used, or is not known yet.
        """
        other = self._configs.config(name)
        return replace(config, head_weights=other.head_weights, is_ranked=other.is_ranked)

    async def answer(self, asked: Asked, run: Run) -> tuple[Slate, Query]:
        """Return the slate of what is ``asked`` and the query that it answers.

        Where there is nothing to show and it is asked for, the config's fallback answers, and the fallback's fallback.
        """
        query, read = asked
        slate = await run(query)
        tried = [query.serving.config.name]
        while (
            read is not None
            and not slate.results
            and not query.shown_rows
            and query.on_empty == selection_pb2.EMPTY_POLICY_FALLBACK_CONFIG
            and query.serving.config.fallback_config not in ("", *tried)
            and len(tried) <= MAX_FALLBACKS
        ):
            name = query.serving.config.fallback_config
            try:
                config = self._configs.config(name)
            except (NotFound, NotReady) as error:
                slate.warnings.append(f"serving_config: the fallback of {tried[-1]!r} cannot answer: {error}")
                break
            without = ", without the request's filter" if query.filter is not None else ""
            said = f"serving_config: {tried[-1]!r} left nothing to show; {name!r} answered{without}"
            tried.append(name)
            serving = replace(
                query.serving,
                config=config,
                is_strict=False,
                is_fallback=True,
                asked_filters=query.serving.filters,
                warnings=(*query.serving.warnings, said),
            )
            query = replace(read(serving), request_id=query.request_id)
            slate = await run(query)
        return slate, query

    def _forced(self, config: ServingConfig, read: Read, forced: str) -> Query:
        experiment = config.experiment
        variants = {f"{experiment.name}:{one.name}": one for one in experiment.variants} if experiment else {}
        if experiment is not None and forced in variants:
            return read(replace(self._variant(config, experiment, variants[forced]), is_forced=True))
        there_are = f"has {', '.join(map(repr, variants))}" if variants else "has no experiment"
        wrong = Violation("experiment_override", f"is {forced[:140]!r}; serving config {config.name!r} {there_are}")
        try:
            read(Serving(config))  # what else is wrong is named with it
        except InvalidRequest as error:
            raise InvalidRequest(wrong, *error.violations) from error
        raise InvalidRequest(wrong)

    def _variant(self, config: ServingConfig, experiment: Experiment, variant: Variant) -> Serving:
        applied = (f"{experiment.name}:{variant.name}",)
        if variant.config == config.name:
            return Serving(config, applied, warnings=self._unread(config))
        try:
            return Serving(self._configs.config(variant.config), applied)
        except (NotFound, NotReady) as error:
            said = f"serving_config: variant {applied[0]!r} cannot answer: {error}; {config.name!r} answered"
            return Serving(config, applied, warnings=(said,), is_unfit=True)

    def _unread(self, config: ServingConfig) -> tuple[str, ...]:
        held = self._configs.held(config.name)
        if self._configs.is_read or held is None or held.origin is not Origin.BUILT_IN:
            return ()
        return ("serving_config: configs were not read yet; the built-in default answered",)


def assigned(experiment: Experiment, actor: ActorKey | None, request_id: str) -> Variant:
    """Return the variant of an actor: by hash, in proportion to the weights, the same wherever and whenever asked.

    Args:
        experiment: Its name is part of the hash, so that experiments divide independently.
        actor: Who; without one, requests are divided.
        request_id: Id of the request.
    """
    who = ("a", actor.tenant, actor.actor_id) if actor is not None else ("r", "", request_id)
    digest = hashlib.sha256("\x00".join((experiment.name, *who)).encode()).digest()
    at = (int.from_bytes(digest[:8], "big") >> 12) / (1 << 52) * sum(one.weight for one in experiment.variants)
    for variant in experiment.variants:
        at -= variant.weight
        if at < 0.0:
            return variant
    return experiment.variants[-1]
