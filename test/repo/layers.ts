/** Package to the packages it may import. `npm run check` fails on anything else. */
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  state: ["core"],
  consensus: ["core"],
  engine: ["core"],
  files: ["core"],
  membership: ["core"],
  scheduler: ["core", "state"],
  // Of the scheduler only the filters: which nodes a global service is for is the same question.
  orchestrator: ["core", "state", "scheduler"],
  worker: ["core", "state"],
  network: ["core", "state"],
  compose: ["core", "state"],
  peer: [
    "core",
    "state",
    "consensus",
    "membership",
    "scheduler",
    "orchestrator",
    "worker",
    "network",
  ],
  mesh: ["core", "files"],
  runtime: ["core", "engine", "files", "state", "worker", "network"],
  api: ["core", "engine", "state"],
  agent: ["core", "files", "state", "peer", "mesh", "runtime", "api", "network"],
  cli: ["core", "state", "compose"],
  sim: ["core", "state", "peer", "worker", "scheduler", "orchestrator", "network"],
};

/** Packages that decide and never act: no clock, chance, timers, console or Node of their own. */
export const pure: ReadonlySet<string> = new Set([
  "core",
  "state",
  "consensus",
  "membership",
  "scheduler",
  "orchestrator",
  "worker",
  "network",
  "compose",
  "peer",
]);

/** Packages that may use the testing doors of others outside of tests, because they are instruments. */
export const instruments: ReadonlySet<string> = new Set(["sim"]);
