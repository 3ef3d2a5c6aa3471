// Against servers of its own; and, where SHORTLIST_ADDRESS names a gateway, against that. TEST_CERTIFICATE and TEST_KEY are
// files in PEM for `localhost`.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as grpc from "@grpc/grpc-js";

import { Client } from "../src/client.js";

const address = process.env.SHORTLIST_ADDRESS;
const items = (process.env.SHORTLIST_ITEMS ?? "").split(",");
const RECOMMEND = "/shortlist.gateway.v1.RecommendationService/Recommend";
const LIST = "/shortlist.gateway.v1.ServingConfigService/ListServingConfigs";
const PUT = "/shortlist.gateway.v1.ServingConfigService/PutServingConfig";
const actor = { userId: "ann" };

interface Seen {
  calls: number;
  deadlines: number[];
  tokens: string[];
}

/** Serves the RPC `path` with an empty answer, after `failures` of UNAVAILABLE; hands `use` its port. */
async function serving(
  failures: number,
  use: (port: number, seen: Seen) => Promise<void>,
  isSecure = false,
  path = RECOMMEND,
) {
  const seen: Seen = { calls: 0, deadlines: [], tokens: [] };
  const server = new grpc.Server();
  const empty = { requestDeserialize: (raw: Buffer) => raw, responseSerialize: (raw: Buffer) => raw };
  const method = { path, requestStream: false, responseStream: false, ...empty };
  server.addService(
    { served: { ...method, requestSerialize: empty.responseSerialize, responseDeserialize: empty.requestDeserialize } },
    {
      served: (asked: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) => {
        seen.calls += 1;
        seen.deadlines.push(Number(asked.getDeadline()) - Date.now());
        seen.tokens.push(String(asked.metadata.get("authorization")[0] ?? ""));
        if (seen.calls <= failures) answer({ code: grpc.status.UNAVAILABLE, details: "as the test wants it" });
        else answer(null, Buffer.alloc(0));
      },
    },
  );
  const pair = () => ({
    private_key: readFileSync(process.env.TEST_KEY!),
    cert_chain: readFileSync(process.env.TEST_CERTIFICATE!),
  });
  const credentials = isSecure
    ? grpc.ServerCredentials.createSsl(null, [pair()])
    : grpc.ServerCredentials.createInsecure();
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  try {
    await use(port, seen);
  } finally {
    server.forceShutdown();
  }
}

test("a server that fails twice is asked a third time", async () => {
  await serving(2, async (port, seen) => {
    const client = new Client(`127.0.0.1:${port}`, { attempts: 3 });
    assert.deepEqual((await client.recommend({ actor })).results, []);
    assert.equal(seen.calls, 3);
    client.close();
  });
});

test("a call is sent twice at most, unless told otherwise", async () => {
  await serving(99, async (port, seen) => {
    const client = new Client(`127.0.0.1:${port}`);
    await assert.rejects(client.recommend({ actor }), { code: grpc.status.UNAVAILABLE });
    assert.equal(seen.calls, 2);
    client.close();
  });
});

test("a change of a serving config is sent once, a read as often as any", async () => {
  for (const [path, calls] of [[PUT, 1], [LIST, 3]] as const) {
    await serving(
      99,
      async (port, seen) => {
        const client = new Client(`127.0.0.1:${port}`, { attempts: 3 });
        const asked = path === PUT ? client.putServingConfig({ config: { name: "home" } }) : client.listServingConfigs();
        await assert.rejects(asked, { code: grpc.status.UNAVAILABLE });
        assert.equal(seen.calls, calls);
        client.close();
      },
      false,
      path,
    );
  }
});

test("when the budget is spent nothing is repeated", async () => {
  await serving(99, async (port, seen) => {
    const client = new Client(`127.0.0.1:${port}`, { attempts: 3, budget: 4 });
    for (let n = 0; n < 10; n++) await assert.rejects(client.recommend({ actor }), { code: grpc.status.UNAVAILABLE });
    assert.ok(seen.calls <= 13, `${seen.calls} attempts for 10 calls`);
    client.close();
  });
});

test("a call without a deadline gets one", async () => {
  await serving(0, async (port, seen) => {
    const client = new Client(`127.0.0.1:${port}`);
    await client.recommend({ actor });
    await client.recommend({ actor }, { timeoutMs: 30_000 });
    assert.ok(seen.deadlines[0]! > 0 && seen.deadlines[0]! <= 1100, `${seen.deadlines[0]} ms`);
    assert.ok(seen.deadlines[1]! > 20_000 && seen.deadlines[1]! <= 31_000, `${seen.deadlines[1]} ms`);
    client.close();
  });
});

test("over TLS every call asks for its token and carries it", async () => {
  await serving(0, async (port, seen) => {
    const credentials = grpc.credentials.createSsl(readFileSync(process.env.TEST_CERTIFICATE!));
    let n = 0;
    const client = new Client(`localhost:${port}`, { credentials, token: async () => `token-${n++}` });
    await client.recommend({ actor });
    await client.recommend({ actor });
    assert.deepEqual(seen.tokens, ["Bearer token-0", "Bearer token-1"]);
    client.close();
  }, true);
});

test("what cannot be is refused at once", () => {
  assert.throws(() => new Client("localhost:1", { token: () => "secret" }), /needs TLS/);
  assert.throws(() => new Client("localhost:1", { attempts: 6 }), /attempts is 6/);
  assert.throws(() => new Client("localhost:1", { budget: 0 }), /budget is 0/);
});

test("a gateway answers every call", { skip: address ? false : "SHORTLIST_ADDRESS is not set" }, async () => {
  const client = new Client(address!);
  const who = { userId: "from-typescript" };
  const written = await client.writeEvents({ actor: who, events: [{ itemId: items[0], value: 5 }] });
  assert.equal(written.written, 1);
  const first = await client.recommend({
    actor: who,
    slateSize: 5,
    itemFields: ["title"],
    consistencyToken: written.consistencyToken,
  });
  assert.equal(first.results.length, 5);
  assert.ok(first.meta?.actorKnown);
  assert.equal(first.meta?.degradation?.level, "DEGRADATION_LEVEL_NONE");
  assert.ok(first.results.every((result) => result.itemId !== items[0] && result.fields[0]?.text));

  const next = await client.recommendNext({ nextToken: first.meta!.nextToken, slateSize: 5 });
  const shown = new Set([...first.results, ...next.results].map((result) => result.itemId));
  assert.equal(shown.size, 10);

  const session = { sessionId: "session-from-typescript" };
  await client.writeEvents({ actor: session, events: [{ itemId: items[1]!, eventType: "view", surface: "home" }] });
  const context = { itemIdsInView: [items[2]!], surface: "item page" };
  const joined = await client.recommend({ actor: { userId: "logged-in", ...session }, slateSize: 100, context });
  assert.ok(joined.meta?.actorKnown);
  assert.ok(joined.results.every((result) => ![items[1], items[2]].includes(result.itemId)));

  const similar = await client.similarItems({ itemIds: [items[0]!], slateSize: 3 });
  assert.equal(similar.results.length, 3);
  const reranked = await client.rerankItems({ actor: who, itemIds: [items[1]!, items[2]!, "nowhere"] });
  assert.deepEqual(reranked.meta?.missingIds, ["nowhere"]);
  assert.equal(reranked.results.at(-1)?.itemId, "nowhere");

  const explained = await client.explainRecommendation({
    request: { actor: who },
    itemId: first.results[0]!.itemId,
  });
  assert.equal(explained.meta?.bundle?.bundleId, first.meta?.bundle?.bundleId);
  const bundle = first.meta!.bundle!.bundleId;
  const compared = await client.compareBundles({ otherBundleId: bundle, request: { actor: who } });
  assert.ok(compared);

  const answers = [];
  for await (const answer of client.batchRecommend({ actors: [who, { userId: "nobody" }], request: { slateSize: 3 } })) answers.push(answer);
  assert.equal(answers.length, 2);

  const alike = await client.similarUsers({ actor: who, userCount: 3 });
  assert.equal(alike.results.length, 3);
  const suited = await client.recommendUsers({ itemIds: [first.results[0]!.itemId, "nowhere"], userCount: 3 });
  assert.equal(suited.results.length, 3);
  assert.deepEqual(suited.meta?.missingIds, ["nowhere"]);

  const put = await client.putServingConfig({ config: { name: "home", slateSize: 3 }, expectedVersion: 0 });
  const version = put.record!.version as number;
  await assert.rejects(client.putServingConfig({ config: { name: "home" }, expectedVersion: 0 }), {
    code: grpc.status.ABORTED,
  });
  assert.equal((await client.recommend({ actor: who, servingConfig: "home" })).results.length, 3);
  assert.equal((await client.getServingConfig({ name: "home" })).record?.config?.slateSize, 3);
  const names = (await client.listServingConfigs()).records.map((record) => record.config?.name);
  assert.deepEqual(names, ["default", "home"]);
  await client.deleteServingConfig({ name: "home", expectedVersion: version });
  assert.equal((await client.listServingConfigVersions({ name: "home" })).records[0]?.isDeleted, true);
  assert.equal((await client.rollbackServingConfig({ name: "home" })).record?.config?.slateSize, 3);

  await assert.rejects(client.recommend({ actor: who, slateSize: 1001 }), (error: grpc.ServiceError) => {
    assert.equal(error.code, grpc.status.INVALID_ARGUMENT);
    assert.match(error.details, /slate_size: is 1001/);
    return true;
  });
  client.close();
});
