import { Client } from "shortlist-client";

const client = new Client("127.0.0.1:50051");
const actor = { userId: "ann" };
const written = await client.writeEvents({ actor, events: [{ itemId: "50", value: 5 }] });
const { results } = await client.recommend({ actor, slateSize: 5, consistencyToken: written.consistencyToken });
for (const result of results) console.log(result.rank, result.itemId, result.score);
client.close();
