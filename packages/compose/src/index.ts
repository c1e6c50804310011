export { type Problem, showProblem } from "./problem.ts";
export { readStack } from "./read-stack.ts";
export { imageLabel, type Stack, stackLabel } from "./spec.ts";
