export { type Expansion, expand, parseProblem } from "./expand.ts";
export type { GoFunction } from "./functions.ts";
export { fromBytes, fromGoText, goText, toBytes } from "./go-text.ts";
export { type GoValue, Struct, TextMap } from "./go-value.ts";
export { Budget } from "./limits.ts";
export { TemplateError } from "./template-error.ts";
