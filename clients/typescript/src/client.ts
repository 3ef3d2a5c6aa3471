import { fileURLToPath } from "node:url";

import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

import type { ProtoGrpcType as EventTypes } from "./generated/event_service.js";
import type { ProtoGrpcType as RecommendationTypes } from "./generated/recommendation_service.js";
import type { BatchRecommendRequest } from "./generated/shortlist/gateway/v1/BatchRecommendRequest.js";
import type { BatchRecommendResponse__Output } from "./generated/shortlist/gateway/v1/BatchRecommendResponse.js";
import type { CompareBundlesRequest } from "./generated/shortlist/gateway/v1/CompareBundlesRequest.js";
import type { CompareBundlesResponse__Output } from "./generated/shortlist/gateway/v1/CompareBundlesResponse.js";
import type { EventServiceClient } from "./generated/shortlist/gateway/v1/EventService.js";
import type { ExplainRecommendationRequest } from "./generated/shortlist/gateway/v1/ExplainRecommendationRequest.js";
import type { ExplainRecommendationResponse__Output } from "./generated/shortlist/gateway/v1/ExplainRecommendationResponse.js";
import type { RecommendationServiceClient } from "./generated/shortlist/gateway/v1/RecommendationService.js";
import type { RecommendNextRequest } from "./generated/shortlist/gateway/v1/RecommendNextRequest.js";
import type { RecommendNextResponse__Output } from "./generated/shortlist/gateway/v1/RecommendNextResponse.js";
import type { RecommendRequest } from "./generated/shortlist/gateway/v1/RecommendRequest.js";
import type { RecommendResponse__Output } from "./generated/shortlist/gateway/v1/RecommendResponse.js";
import type { RecommendUsersRequest } from "./generated/shortlist/gateway/v1/RecommendUsersRequest.js";
import type { RecommendUsersResponse__Output } from "./generated/shortlist/gateway/v1/RecommendUsersResponse.js";
import type { RerankItemsRequest } from "./generated/shortlist/gateway/v1/RerankItemsRequest.js";
import type { RerankItemsResponse__Output } from "./generated/shortlist/gateway/v1/RerankItemsResponse.js";
import type { SimilarItemsRequest } from "./generated/shortlist/gateway/v1/SimilarItemsRequest.js";
import type { SimilarItemsResponse__Output } from "./generated/shortlist/gateway/v1/SimilarItemsResponse.js";
import type { SimilarUsersRequest } from "./generated/shortlist/gateway/v1/SimilarUsersRequest.js";
import type { SimilarUsersResponse__Output } from "./generated/shortlist/gateway/v1/SimilarUsersResponse.js";
import type { WriteEventsRequest } from "./generated/shortlist/gateway/v1/WriteEventsRequest.js";
import type { WriteEventsResponse__Output } from "./generated/shortlist/gateway/v1/WriteEventsResponse.js";
import type { DeleteServingConfigRequest } from "./generated/shortlist/gateway/v1/DeleteServingConfigRequest.js";
import type { DeleteServingConfigResponse__Output } from "./generated/shortlist/gateway/v1/DeleteServingConfigResponse.js";
import type { GetServingConfigRequest } from "./generated/shortlist/gateway/v1/GetServingConfigRequest.js";
import type { GetServingConfigResponse__Output } from "./generated/shortlist/gateway/v1/GetServingConfigResponse.js";
import type { ListServingConfigVersionsRequest } from "./generated/shortlist/gateway/v1/ListServingConfigVersionsRequest.js";
import type { ListServingConfigVersionsResponse__Output } from "./generated/shortlist/gateway/v1/ListServingConfigVersionsResponse.js";
import type { ListServingConfigsRequest } from "./generated/shortlist/gateway/v1/ListServingConfigsRequest.js";
import type { ListServingConfigsResponse__Output } from "./generated/shortlist/gateway/v1/ListServingConfigsResponse.js";
import type { PutServingConfigRequest } from "./generated/shortlist/gateway/v1/PutServingConfigRequest.js";
import type { PutServingConfigResponse__Output } from "./generated/shortlist/gateway/v1/PutServingConfigResponse.js";
import type { RollbackServingConfigRequest } from "./generated/shortlist/gateway/v1/RollbackServingConfigRequest.js";
import type { RollbackServingConfigResponse__Output } from "./generated/shortlist/gateway/v1/RollbackServingConfigResponse.js";
import type { ServingConfigServiceClient } from "./generated/shortlist/gateway/v1/ServingConfigService.js";
import type { ProtoGrpcType as ServingConfigTypes } from "./generated/serving_config_service.js";

/** How a client reaches a gateway. */
export interface ClientOptions {
  /** For TLS, as in `grpc.credentials.createSsl(ca)`; plain text where left out. */
  credentials?: grpc.ChannelCredentials;
  /** Returns the bearer token of each call; only with `credentials`. */
  token?: () => string | Promise<string>;
  /** Times a call is sent at most after UNAVAILABLE, 1 to 5; 2 where left out. */
  attempts?: number;
  /** Failures that may be repeated before the budget is spent: repeats end when half of it is left. 10 where left out. */
  budget?: number;
}

/** What one call may cost. */
export interface CallOptions {
  /** Deadline in milliseconds. */
  timeoutMs?: number;
}

const READ_MS = 1000;
const WRITE_MS = 2000;
const COMPARE_MS = 2000;
const EXPLAIN_MS = 3000;
const CHANGE_MS = 3000;
const BATCH_MS = 600_000;

// The code runs from dist/src, two folders below the package.
const PROTOS = fileURLToPath(new URL("../../protos", import.meta.url));
const FILES = ["recommendation", "event", "serving_config"].map((name) => `shortlist/gateway/v1/${name}_service.proto`);
const loaded = grpc.loadPackageDefinition(
  loadSync(FILES, { includeDirs: [PROTOS], longs: Number, enums: String, defaults: true, oneofs: true }),
);
const { EventService } = (loaded as unknown as EventTypes).shortlist.gateway.v1;
const { ServingConfigService } = (loaded as unknown as ServingConfigTypes).shortlist.gateway.v1;
const { RecommendationService } = (loaded as unknown as RecommendationTypes).shortlist.gateway.v1;

type Unary<Request, Response> = (
  request: Request,
  options: grpc.CallOptions,
  callback: (error: grpc.ServiceError | null, response?: Response) => void,
) => grpc.ClientUnaryCall;

/**
 * Calls a Shortlist gateway. Make it once and keep it.
 *
 * Every call has a deadline, and is repeated after UNAVAILABLE where that is harmless: all are but changes of serving configs.
 * Calls reject with a
 * `grpc.ServiceError`: `code` and `details` say what is wrong, field by field where the request is.
 */
export class Client {
  private readonly recommendation: RecommendationServiceClient;
  private readonly event: EventServiceClient;
  private readonly servingConfig: ServingConfigServiceClient;

  /** @param address `host:port`, or a gRPC name, as in `dns:///gateway:50051`; calls take turns among its addresses. */
  constructor(address: string, options: ClientOptions = {}) {
    const credentials = withToken(options);
    const channel = { "grpc.service_config": serviceConfig(options.attempts ?? 2, options.budget ?? 10) };
    this.recommendation = new RecommendationService(address, credentials, channel);
    this.event = new EventService(address, credentials, channel);
    this.servingConfig = new ServingConfigService(address, credentials, channel);
  }

  /** Recommends items for an actor. */
  recommend(request: RecommendRequest, options: CallOptions = {}): Promise<RecommendResponse__Output> {
    return call(this.recommendation.Recommend.bind(this.recommendation), request, options.timeoutMs ?? READ_MS);
  }

  /** Goes on with the slate of a `recommend`, by its `meta.nextToken`. */
  recommendNext(request: RecommendNextRequest, options: CallOptions = {}): Promise<RecommendNextResponse__Output> {
    return call(this.recommendation.RecommendNext.bind(this.recommendation), request, options.timeoutMs ?? READ_MS);
  }

  /** Finds items that are like one or several items. */
  similarItems(request: SimilarItemsRequest, options: CallOptions = {}): Promise<SimilarItemsResponse__Output> {
    return call(this.recommendation.SimilarItems.bind(this.recommendation), request, options.timeoutMs ?? READ_MS);
  }

  /** Finds users whose taste is like an actor's. */
  similarUsers(request: SimilarUsersRequest, options: CallOptions = {}): Promise<SimilarUsersResponse__Output> {
    return call(this.recommendation.SimilarUsers.bind(this.recommendation), request, options.timeoutMs ?? READ_MS);
  }

  /** Finds users to whom one or several items are worth showing. */
  recommendUsers(request: RecommendUsersRequest, options: CallOptions = {}): Promise<RecommendUsersResponse__Output> {
    return call(this.recommendation.RecommendUsers.bind(this.recommendation), request, options.timeoutMs ?? READ_MS);
  }

  /** Orders the caller's own list for an actor. */
  rerankItems(request: RerankItemsRequest, options: CallOptions = {}): Promise<RerankItemsResponse__Output> {
    return call(this.recommendation.RerankItems.bind(this.recommendation), request, options.timeoutMs ?? READ_MS);
  }

  /** Says why an item is or is not in a slate. */
  explainRecommendation(
    request: ExplainRecommendationRequest,
    options: CallOptions = {},
  ): Promise<ExplainRecommendationResponse__Output> {
    const unary = this.recommendation.ExplainRecommendation.bind(this.recommendation);
    return call(unary, request, options.timeoutMs ?? EXPLAIN_MS);
  }

  /** Asks two bundles the same. */
  compareBundles(request: CompareBundlesRequest, options: CallOptions = {}): Promise<CompareBundlesResponse__Output> {
    return call(this.recommendation.CompareBundles.bind(this.recommendation), request, options.timeoutMs ?? COMPARE_MS);
  }

  /** Recommends for many actors; the server works out no more than is asked for. */
  batchRecommend(
    request: BatchRecommendRequest,
    options: CallOptions = {},
  ): AsyncIterable<BatchRecommendResponse__Output> {
    return this.recommendation.BatchRecommend(request, { deadline: Date.now() + (options.timeoutMs ?? BATCH_MS) });
  }

  /** Stores what an actor did. */
  writeEvents(request: WriteEventsRequest, options: CallOptions = {}): Promise<WriteEventsResponse__Output> {
    return call(this.event.WriteEvents.bind(this.event), request, options.timeoutMs ?? WRITE_MS);
  }

  /** Lists serving configs, and what is wrong with them. */
  listServingConfigs(
    request: ListServingConfigsRequest = {},
    options: CallOptions = {},
  ): Promise<ListServingConfigsResponse__Output> {
    return call(this.servingConfig.ListServingConfigs.bind(this.servingConfig), request, options.timeoutMs ?? READ_MS);
  }

  /** Returns a serving config, also as it was at a version. */
  getServingConfig(
    request: GetServingConfigRequest = {},
    options: CallOptions = {},
  ): Promise<GetServingConfigResponse__Output> {
    return call(this.servingConfig.GetServingConfig.bind(this.servingConfig), request, options.timeoutMs ?? READ_MS);
  }

  /** Lists the versions of a serving config, newest first. */
  listServingConfigVersions(
    request: ListServingConfigVersionsRequest,
    options: CallOptions = {},
  ): Promise<ListServingConfigVersionsResponse__Output> {
    return call(this.servingConfig.ListServingConfigVersions.bind(this.servingConfig), request, options.timeoutMs ?? CHANGE_MS);
  }

  /** Creates or replaces a serving config. Never repeated: read first whether it was done. */
  putServingConfig(
    request: PutServingConfigRequest,
    options: CallOptions = {},
  ): Promise<PutServingConfigResponse__Output> {
    return call(this.servingConfig.PutServingConfig.bind(this.servingConfig), request, options.timeoutMs ?? CHANGE_MS);
  }

  /** Deletes a serving config. Never repeated. */
  deleteServingConfig(
    request: DeleteServingConfigRequest,
    options: CallOptions = {},
  ): Promise<DeleteServingConfigResponse__Output> {
    return call(this.servingConfig.DeleteServingConfig.bind(this.servingConfig), request, options.timeoutMs ?? CHANGE_MS);
  }

  /** Writes what a serving config was before as its new version. Never repeated. */
  rollbackServingConfig(
    request: RollbackServingConfigRequest,
    options: CallOptions = {},
  ): Promise<RollbackServingConfigResponse__Output> {
    return call(this.servingConfig.RollbackServingConfig.bind(this.servingConfig), request, options.timeoutMs ?? CHANGE_MS);
  }

  /** Closes the connections. */
  close(): void {
    this.recommendation.close();
    this.event.close();
    this.servingConfig.close();
  }
}

function call<Request, Response>(unary: Unary<Request, Response>, request: Request, timeoutMs: number) {
  return new Promise<Response>((resolve, reject) => {
    unary(request, { deadline: Date.now() + timeoutMs }, (error, response) => {
      if (error) reject(error);
      else resolve(response as Response);
    });
  });
}

function withToken({ credentials, token }: ClientOptions): grpc.ChannelCredentials {
  if (!token) return credentials ?? grpc.credentials.createInsecure();
  if (!credentials) throw new Error("a token needs TLS: give credentials as well");
  const bearer = grpc.credentials.createFromMetadataGenerator((_, callback) => {
    Promise.resolve()
      .then(token)
      .then(
        (value) => {
          const metadata = new grpc.Metadata();
          metadata.set("authorization", `Bearer ${value}`);
          callback(null, metadata);
        },
        (error: Error) => callback(error),
      );
  });
  return grpc.credentials.combineChannelCredentials(credentials, bearer);
}

/** Of ServingConfigService, what is harmless to repeat. */
const READ_ONLY = ["ListServingConfigs", "GetServingConfig", "ListServingConfigVersions"];

function serviceConfig(attempts: number, budget: number): string {
  if (!(attempts >= 1 && attempts <= 5)) throw new RangeError(`attempts is ${attempts}; it must be in [1, 5]`);
  if (!(budget >= 1 && budget <= 1000)) throw new RangeError(`budget is ${budget}; it must be in [1, 1000]`);
  const name = [
    { service: "shortlist.gateway.v1.RecommendationService" },
    { service: "shortlist.gateway.v1.EventService" },
    ...READ_ONLY.map((method) => ({ service: "shortlist.gateway.v1.ServingConfigService", method })),
  ];
  const retryPolicy = {
    maxAttempts: attempts,
    initialBackoff: "0.005s",
    maxBackoff: "0.02s",
    backoffMultiplier: 2,
    retryableStatusCodes: ["UNAVAILABLE"],
  };
  return JSON.stringify({
    loadBalancingConfig: [{ round_robin: {} }],
    methodConfig: attempts > 1 ? [{ name, retryPolicy }] : [],
    retryThrottling: { maxTokens: budget, tokenRatio: 0.1 },
  });
}
