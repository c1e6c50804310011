export { stackLabel } from "@gam/state";
export { dependenciesFirst } from "./deploy-order.ts";
export { withObjects } from "./object-spec.ts";
export { readStack } from "./read-stack.ts";
export { type Problem, showProblem } from "./reading/problem.ts";
export { showFile } from "./show-file.ts";
export type { Stack, StackService } from "./spec.ts";
export { imageLabel } from "./stack-names.ts";
