"""The gateway's door: check, ask the pipeline, answer."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import grpc

from shortlist.common.v1 import answer_pb2
from shortlist.gateway.v1 import event_service_pb2 as events_pb
from shortlist.gateway.v1 import event_service_pb2_grpc as events_grpc
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1 import recommendation_service_pb2_grpc as pb_grpc
from shortlist_domain.deadline import Deadline
from shortlist_gateway import answers
from shortlist_gateway.attribution import Attribution
from shortlist_gateway.batch import Batch
from shortlist_gateway.bundles import ActiveBundle
from shortlist_gateway.compare import add_comparison, compare_queries
from shortlist_gateway.conditions import bound_conditions
from shortlist_gateway.configs.choice import Asked, ServingChoice
from shortlist_gateway.configs.fitting import fitted
from shortlist_gateway.continuation import Continuation
from shortlist_gateway.debug import debug
from shortlist_gateway.events import EventIntake
from shortlist_gateway.explain import Explanation, explain, message, what_if_warnings
from shortlist_gateway.explain_requests import explain_queries
from shortlist_gateway.pipeline import Pipeline
from shortlist_gateway.query import Query, Slate
from shortlist_gateway.recommend_users import RecommendUsers
from shortlist_gateway.requests import (
    recommend_query,
    recommend_users_query,
    rerank_query,
    similar_query,
    similar_users_query,
)
from shortlist_gateway.selection import anchors_of, look_up
from shortlist_gateway.similar_users import SimilarUsers
from shortlist_gateway.slate_log import SlateLog
from shortlist_gateway.user_search import users_of
from shortlist_rpc.interceptor import current_deadline
from shortlist_telemetry.catalogue import Metrics

Context = grpc.aio.ServicerContext[Any, Any]


class RecommendationServicer(pb_grpc.RecommendationServiceServicer):
    """RecommendationService."""

    def __init__(
        self,
        pipeline: Pipeline,
        similar_users: SimilarUsers,
        recommend_users: RecommendUsers,
        bundles: ActiveBundle,
        choice: ServingChoice,
        attribution: Attribution,
        continuation: Continuation,
        batch: Batch,
        slate_log: SlateLog,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._pipeline = pipeline
        self._similar_users = similar_users
        self._recommend_users = recommend_users
        self._bundles = bundles
        self._choice = choice
        self._attribution = attribution
        self._continuation = continuation
        self._batch = batch
        self._slate_log = slate_log
        self._metrics = metrics
        self._clock = clock

    async def Recommend(self, request: pb.RecommendRequest, context: Context) -> pb.RecommendResponse:  # noqa: N802, D102
        return await self._recommend(request, current_deadline(), "Recommend")

    async def BatchRecommend(  # noqa: N802, D102
        self, request: pb.BatchRecommendRequest, context: Context
    ) -> AsyncIterator[pb.BatchRecommendResponse]:
        answer = functools.partial(self._recommend, logged_as="BatchRecommend")
        async with contextlib.aclosing(self._batch.run(request, answer)) as responses:
            async for response in responses:
                yield response

    async def _recommend(
        self, request: pb.RecommendRequest, deadline: Deadline, logged_as: str
    ) -> pb.RecommendResponse:
        read = functools.partial(recommend_query, request, self._clock())
        query = self._choice.query(request.serving_config, read, request.experiment_override)
        if request.validate_only:
            return pb.RecommendResponse(meta=self._dry(query))
        slate, query = await self._slate(Asked(query, read), deadline)
        response = pb.RecommendResponse()
        self._answer("Recommend", response, slate, query, logged_as)
        self._continuation.add_token(response.meta, request, slate, query)
        if query.is_debugged:
            response.debug.CopyFrom(debug(slate))
        return response

    async def RecommendNext(self, request: pb.RecommendNextRequest, context: Context) -> pb.RecommendNextResponse:  # noqa: N802, D102
        base, query = self._continuation.resume(request, self._clock(), self._choice.resumed)
        slate = await self._pipeline.recommend(query, current_deadline())
        self._continuation.check_answered(request, slate, query)
        response = pb.RecommendNextResponse()
        self._answer("RecommendNext", response, slate, query)
        self._continuation.add_token(response.meta, base, slate, query)
        if query.is_debugged:
            response.debug.CopyFrom(debug(slate))
        return response

    async def ExplainRecommendation(  # noqa: N802, D102
        self, request: pb.ExplainRecommendationRequest, context: Context
    ) -> pb.ExplainRecommendationResponse:
        asked, changed = explain_queries(request, self._attribution, self._clock(), self._choice)
        found = await self._explained(asked, request.item_id)
        response = pb.ExplainRecommendationResponse(explanation=message(found))
        if changed is not None:
            other = await self._explained(changed, request.item_id)
            response.what_if.CopyFrom(message(other))
            found.slate.warnings.extend(what_if_warnings(found, other))
        response.meta.CopyFrom(answers.meta(found.slate, found.query))
        return response

    async def _explained(self, asked: Asked, item_id: str) -> Explanation:
        deadline = current_deadline()
        slate, query = await self._slate(asked, deadline)
        found = await explain(self._pipeline, slate, query, item_id, deadline)
        self._bundles.check_made(found.slate)
        return found

    async def CompareBundles(  # noqa: N802, D102
        self, request: pb.CompareBundlesRequest, context: Context
    ) -> pb.CompareBundlesResponse:
        both = compare_queries(request, self._clock(), self._choice)
        deadline = current_deadline()
        answered = await asyncio.gather(*(self._slate(asked, deadline) for asked in both))
        response = pb.CompareBundlesResponse()
        for (slate, query), half in zip(answered, (response.base, response.other), strict=True):
            self._bundles.check_made(slate)
            answers.add_results(half, slate, query)
            half.meta.CopyFrom(answers.meta(slate, query))
            if query.is_debugged:
                half.debug.CopyFrom(debug(slate))
        add_comparison(response)
        return response

    async def SimilarItems(self, request: pb.SimilarItemsRequest, context: Context) -> pb.SimilarItemsResponse:  # noqa: N802, D102
        read = functools.partial(similar_query, request, self._clock())
        query, deadline = self._choice.query(request.serving_config, read), current_deadline()
        if request.validate_only:
            return pb.SimilarItemsResponse(meta=self._dry(query, anchors=query.item_ids))
        slate, query = await self._choice.answer(Asked(query, read), lambda q: self._pipeline.similar(q, deadline))
        response = pb.SimilarItemsResponse()
        self._answer("SimilarItems", response, slate, query)
        return response

    async def SimilarUsers(self, request: pb.SimilarUsersRequest, context: Context) -> pb.SimilarUsersResponse:  # noqa: N802, D102
        query = similar_users_query(request, self._clock())
        if request.validate_only:
            catalogue = self._bundles.pinned(query.about.bundle_id)
            users_of(catalogue, query.tenant)
            return pb.SimilarUsersResponse(meta=answers.meta(Slate(catalogue), query.about))
        slate, users = await self._similar_users.find(query, current_deadline())
        self._observe(slate)
        return pb.SimilarUsersResponse(
            results=[pb.SimilarUser(user_id=u.user_id, rank=rank, similarity=u.score) for rank, u in enumerate(users)],
            meta=answers.meta(slate, query.about),
        )

    async def RecommendUsers(  # noqa: N802, D102
        self, request: pb.RecommendUsersRequest, context: Context
    ) -> pb.RecommendUsersResponse:
        query = recommend_users_query(request, self._clock())
        if request.validate_only:
            slate, *_ = self._recommend_users.begun(query)
            return pb.RecommendUsersResponse(meta=answers.meta(slate, query.about))
        slate, users = await self._recommend_users.find(query, current_deadline())
        self._observe(slate)
        return pb.RecommendUsersResponse(
            results=[pb.RecommendedUser(user_id=u.user_id, rank=rank, lift=u.score) for rank, u in enumerate(users)],
            meta=answers.meta(slate, query.about),
        )

    async def RerankItems(self, request: pb.RerankItemsRequest, context: Context) -> pb.RerankItemsResponse:  # noqa: N802, D102
        read = functools.partial(rerank_query, request, self._clock())
        query = self._choice.query(request.serving_config, read)
        if request.validate_only:
            return pb.RerankItemsResponse(meta=self._dry(query))
        slate = await self._pipeline.rerank(query, current_deadline())
        response = pb.RerankItemsResponse()
        self._answer("RerankItems", response, slate, query)
        return response

    async def _slate(self, asked: Asked, deadline: Deadline) -> tuple[Slate, Query]:
        return await self._choice.answer(asked, lambda query: self._pipeline.recommend(query, deadline))

    def _answer(self, rpc: str, response: answers.Response, slate: Slate, query: Query, logged_as: str = "") -> None:
        self._observe(slate)
        answers.add_results(response, slate, query)
        meta = answers.meta(slate, query)  # last: it has the warnings of all before
        now_s = self._clock()
        meta.attribution_token = self._attribution.token(
            rpc, meta, response.results, query.actor, now_s, query.surface, query.slate_size
        )
        response.meta.CopyFrom(meta)
        if self._slate_log.wants(meta.slate_id):
            self._slate_log.add(logged_as or rpc, response, query.actor, slate.candidate_rows, now_s, query.surface)

    def _observe(self, slate: Slate) -> None:
        for report in slate.reports:
            self._metrics.stage_seconds.labels(report.stage, report.outcome).observe(report.spent_s)
        for cause in slate.causes:
            self._metrics.degraded.labels(cause).inc()

    def _dry(self, query: Query, anchors: Sequence[str] = ()) -> answer_pb2.AnswerMeta:
        """Answer a validate-only request: nothing is asked of any stage, and ids of items are looked up in memory."""
        slate = Slate(self._bundles.pinned(query.bundle_id))
        query = fitted(query, slate)
        bound_conditions(query, slate.catalogue.attributes.schema)
        if anchors:
            anchors_of(slate, anchors)
        look_up(slate, query)
        return answers.meta(slate, query)


class EventServicer(events_grpc.EventServiceServicer):
    """EventService."""

    def __init__(self, intake: EventIntake, clock: Callable[[], float] = time.time) -> None:
        self._intake = intake
        self._clock = clock

    async def WriteEvents(  # noqa: N802, D102
        self, request: events_pb.WriteEventsRequest, context: Context
    ) -> events_pb.WriteEventsResponse:
        return await self._intake.write(request, self._clock(), current_deadline())
