export { Client } from "./client.js";
export type { ClientOptions, CallOptions } from "./client.js";
