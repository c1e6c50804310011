/** Modules: the modules with all targets. */
import type { Target } from "./target.ts";

/** Each module makes its own targets, since that needs keys, stores and the like. */
const modules = {
  strangers: async () => (await import("./stranger-targets.ts")).strangerTargets(),
  containers: async () => (await import("./dns-targets.ts")).dnsTargets(),
  probes: async () => (await import("./probe-targets.ts")).probeTargets(),
  clients: async () => (await import("./client-targets.ts")).clientTargets(),
  members: async () => (await import("./member-targets.ts")).memberTargets(),
  planted: async () => (await import("./planted-targets.ts")).plantedTargets(),
} as const satisfies Record<string, () => Promise<readonly Target[]>>;

export type ModuleName = keyof typeof modules;

/** The modules that `npm run fuzz` runs. */
export const ownModules: readonly ModuleName[] = [
  "strangers",
  "containers",
  "probes",
  "clients",
  "members",
];

export async function targetsOf(module: ModuleName): Promise<readonly Target[]> {
  return await modules[module]();
}
