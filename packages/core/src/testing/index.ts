export { counterMint, seededRandom } from "./chance.ts";
export { freePort } from "./free-port.ts";
export { type Command, runScripts } from "./scripts.ts";
export { testId, testKey } from "./test-id.ts";
