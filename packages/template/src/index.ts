export { type Expansion, expand, parseProblem } from "./expand.ts";
export type { GoFunction } from "./functions.ts";
export { fromBytes, fromGoText, goText, toBytes } from "./go-text.ts";
export { Budget } from "./limits.ts";
export { quote } from "./quote.ts";
export { TemplateError } from "./template-error.ts";
export { Struct, TextMap, type Value } from "./value.ts";
