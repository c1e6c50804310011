export { readStack } from "./read-stack.ts";
export { type Problem, showProblem } from "./reading/problem.ts";
export { imageLabel, type Stack, stackLabel } from "./spec.ts";
