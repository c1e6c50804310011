/** By package, the packages that it may import. `npm run check` fails on other imports. */
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  template: [],
  state: ["core", "template"],
  consensus: ["core"],
  engine: ["core"],
  files: ["core"],
  membership: ["core"],
  scheduler: ["core", "state"],
  // Only what says which nodes suit a task: the filters, for global services, and which moves are worth it.
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

/** Packages that decide and never act: without clock, randomness, timers, console or Node modules. */
export const pure: ReadonlySet<string> = new Set([
  "core",
  "template",
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

/** Packages that may use the testing doors of others outside of tests, because they are test tools. */
export const instruments: ReadonlySet<string> = new Set(["sim"]);

/**
 * Folders of a package's sources, or of a kind of test, lowest first. Each may import those before it; the files
 * beside them may import all; none imports the files beside them. "testing" folders are for tests and have no order.
 */
export const folderOrder: Readonly<Record<string, readonly string[]>> = {
  "packages/agent/src": ["disk", "trust", "contents", "containers", "images", "names", "volumes"],
  "packages/api/src": [
    "door",
    "request",
    "answers",
    "engine",
    "hosts",
    "logs",
    "routes",
    "images",
    "jobs",
    "scale",
    "gam",
  ],
  "packages/cli/src": ["agent", "views", "views/services", "reference", "commands"],
  "packages/compose/src": ["reading", "shape"],
  "packages/consensus/src": ["log", "leader"],
  "packages/core/src": ["text"],
  "packages/mesh/src": ["trust", "wire", "admission", "reach"],
  "packages/network/src": ["plan", "allocation", "tables"],
  "packages/orchestrator/src": ["service"],
  "packages/runtime/src": [
    "dns",
    "data-plane/kernel",
    "data-plane",
    "connections",
    "contents",
    "images",
    "volumes",
  ],
  "packages/peer/src": ["journal", "access", "io", "leader", "recovery", "node", "explain"],
  "packages/sim/src": ["story", "hosts", "checks", "poison"],
  "packages/state/src": [
    "objects/addresses",
    "objects/rollouts",
    "objects",
    "objects/volumes",
    "labels",
    "log",
    "specs",
    "derived/rollout",
    "derived",
    "images",
    "derived/volumes",
    "derived/traffic",
    "checks",
    "changes/rollout",
    "changes",
    "store",
    "answers",
  ],
  "test/bench": ["support", "images"],
  "test/clients": ["support", "foreign/support", "foreign"],
  "test/lab": ["hosts", "load", "clusters", "story", "attack", "services", "stacks"],
};
