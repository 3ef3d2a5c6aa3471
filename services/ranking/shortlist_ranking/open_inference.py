"""The Open Inference Protocol's door of ranking: the same engine, for clients of Triton and KServe."""

from __future__ import annotations

import importlib.metadata
import time
from array import array
from collections.abc import Callable
from typing import Any

import grpc

from shortlist.inference.v2 import inference_service_pb2 as pb
from shortlist.inference.v2.inference_service_pb2_grpc import GRPCInferenceServiceServicer
from shortlist_bundle.host import BundleHost
from shortlist_domain.errors import InvalidRequest, NotFound, NotReady, Violation
from shortlist_domain.stages import ActorFeatures, RankRequest, RankResult
from shortlist_ranking.engine import RankingEngine
from shortlist_ranking.loading import LoadedRanker
from shortlist_ranking.tensors import INPUTS, OUTPUTS, REQUIRED, Inputs, add_output, metadata
from shortlist_rpc.interceptor import current_deadline

Context = grpc.aio.ServicerContext[Any, Any]

MODEL = "ranker"
PLATFORM = "onnxruntime_onnx"
MAX_ID_BYTES = 256


class OpenInferenceServicer(GRPCInferenceServiceServicer):
    """Serves ``inference``, version 2 of the protocol."""

    def __init__(
        self, engine: RankingEngine, host: BundleHost[LoadedRanker], clock: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._host = host
        self._clock = clock
        self._version = importlib.metadata.version("shortlist")

    async def ServerLive(  # noqa: N802 - gRPC's name
        self, request: pb.ServerLiveRequest, context: Context
    ) -> pb.ServerLiveResponse:
        """See the proto."""
        return pb.ServerLiveResponse(live=True)

    async def ServerReady(  # noqa: N802
        self, request: pb.ServerReadyRequest, context: Context
    ) -> pb.ServerReadyResponse:
        """See the proto."""
        return pb.ServerReadyResponse(ready=self._host.is_ready())

    async def ModelReady(  # noqa: N802
        self, request: pb.ModelReadyRequest, context: Context
    ) -> pb.ModelReadyResponse:
        """See the proto."""
        held = self._host.held_ids()
        return pb.ModelReadyResponse(
            ready=request.name == MODEL and bool(held) and request.version in ("", *held),
        )

    async def ServerMetadata(  # noqa: N802
        self, request: pb.ServerMetadataRequest, context: Context
    ) -> pb.ServerMetadataResponse:
        """See the proto."""
        return pb.ServerMetadataResponse(name="shortlist", version=self._version)

    async def ModelMetadata(  # noqa: N802
        self, request: pb.ModelMetadataRequest, context: Context
    ) -> pb.ModelMetadataResponse:
        """See the proto."""
        bundle_id = self._bundle_of(request.name, request.version)
        ranker = self._host.get(bundle_id)
        (generation,) = (h.release.generation for h in self._host.held() if h.release.bundle_id == bundle_id)
        return pb.ModelMetadataResponse(
            name=MODEL,
            versions=self._host.held_ids(),
            platform=PLATFORM,
            inputs=metadata(INPUTS, ranker.dim),
            outputs=metadata(OUTPUTS, ranker.dim),
            properties={
                "bundle_id": bundle_id,
                "generation": str(generation),
                "model": ranker.manifest.models.get("ranker", ""),
                "required_inputs": ",".join(REQUIRED),
            },
        )

    async def ModelInfer(  # noqa: N802
        self, request: pb.ModelInferRequest, context: Context
    ) -> pb.ModelInferResponse:
        """See the proto."""
        bundle_id = self._bundle_of(request.model_name, request.model_version)
        outputs = _wanted(request)
        asked = self._asked(Inputs(request), bundle_id)
        try:
            result = await self._engine.rank(asked, current_deadline())
        except InvalidRequest as error:
            # The engine names fields of RankCandidates; a tensor has the name that its field has in the actor.
            named = [Violation(v.field.removeprefix("actor."), f"tensor {v.description}") for v in error.violations]
            raise InvalidRequest(*named) from error
        response = pb.ModelInferResponse(model_name=MODEL, model_version=bundle_id, id=request.id)
        columns = _columns(result)
        for name in outputs:
            add_output(response, name, columns[name], is_raw=bool(request.raw_input_contents))
        if len(result.scores) < len(asked.rows):
            response.parameters["is_partial"].bool_param = True
        return response

    def _bundle_of(self, model: str, version: str) -> str:
        """Return the bundle that is meant; one that is not held is found out where it is asked for.

        Raises:
            NotFound: There is no such model.
            NotReady: No bundle is loaded.
        """
        if model != MODEL:
            raise NotFound(f"there is no model {model!r}; there is {MODEL!r}")
        held = self._host.held_ids()
        if not held:
            raise NotReady(self._host.why_not_ready())
        return version or held[0]

    def _asked(self, inputs: Inputs, bundle_id: str) -> RankRequest:
        chosen: dict[str, tuple[str, ...]] = {}
        for name, value in inputs.pairs("chosen"):
            chosen[name] = (*chosen.get(name, ()), value)
        now_s = inputs.floats("now_s")
        return RankRequest(
            bundle_id=bundle_id,
            actor=ActorFeatures(
                now_s=now_s[0] if now_s else self._clock(),
                attributes=dict(inputs.pairs("attribute")),
                numbers=inputs.numbers(),
                history_rows=inputs.uints("history_rows"),
                history_values=inputs.floats("history_values"),
                history_times_s=inputs.floats("history_times_s"),
                chosen=chosen,
            ),
            rows=inputs.uints("rows"),
            actor_embedding=inputs.floats("actor_embedding"),
        )


def _wanted(request: pb.ModelInferRequest) -> list[str]:
    """Return the outputs that ``request`` names, all where it names none; refuse what is not honoured."""
    found = []
    if request.parameters:
        found.append(Violation("parameters", f"{sorted(request.parameters)} are not honoured; leave them out"))
    if len(request.id.encode()) > MAX_ID_BYTES:
        found.append(Violation("id", f"is {len(request.id.encode())} bytes long; at most {MAX_ID_BYTES} are allowed"))
    names = [output.name for output in request.outputs]
    for position, output in enumerate(request.outputs):
        if output.name not in OUTPUTS:
            outputs = ", ".join(OUTPUTS)
            found.append(Violation(f"outputs[{position}].name", f"is {output.name!r}; the outputs are {outputs}"))
        elif output.name in names[:position]:
            found.append(Violation(f"outputs[{position}].name", f"tensor {output.name!r} is asked for twice"))
        if output.parameters:
            honoured = f"tensor {output.name!r} has parameters; none are honoured"
            found.append(Violation(f"outputs[{position}].parameters", honoured))
    if found:
        raise InvalidRequest(*found)
    return names or list(OUTPUTS)


def _columns(result: RankResult) -> dict[str, array[float]]:
    return {"score": result.scores, "click": result.click, "rating": result.rating}
