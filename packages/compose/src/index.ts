export type { Environment } from "./interpolate.ts";
export { type Place, type Problem, showProblem } from "./problem.ts";
export { readStack, type StackFile, type StackOptions, type StackResult } from "./read-stack.ts";
export { imageLabel, type NetworkCreate, type Stack, stackLabel } from "./spec.ts";
