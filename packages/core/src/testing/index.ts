export { counterMint, seededRandom } from "./chance.ts";
export { type Command, type Options, runScripts } from "./scripts.ts";
export { testId, testKey } from "./test-id.ts";
