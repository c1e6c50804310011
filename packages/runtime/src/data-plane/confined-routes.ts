/**
 * Confined routes: removes containers' default routes that lead into an internal network.
 *
 * Engines before 28 add such a route, by the network's gateway. Nothing gets through there (walls.ts in
 * `@gam/network`), but a connection to the outside must fail at once, as in Swarm, and not time out. A container
 * that is in another network as well keeps its default route through that network.
 *
 * A new namespace is checked as soon as its link exists: some milliseconds after the engine has added the
 * route, and before the engine reports the container. A known namespace is checked again when its endpoints
 * change, and every minute, because an engine adds the route again when a container leaves its other network.
 */
import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { check, hasCode } from "@gam/core";
import { ip4, type NodePlan } from "@gam/network";
import { CommandFailed, type Run } from "./kernel/command.ts";
import { enter, type Sandbox } from "./kernel/sandbox.ts";

/** Where engines keep their containers' namespaces, until the engine reports another path. */
const directoryDefault = "/var/run/docker/netns";
const anewMs = 60_000;
const routes = check.list(check.object({ gateway: check.optional(check.string(64)) }), 4096);

export class ConfinedRoutes {
  readonly #run: Run;
  #directory: string;
  /** Namespace files that have been checked. */
  #seen: ReadonlySet<string> = new Set();
  /** Path of a namespace to its endpoints at the last check, and the time of that check. */
  readonly #looked = new Map<string, { readonly places: string; readonly atMs: number }>();

  constructor(run: Run, directory = directoryDefault) {
    this.#run = run;
    this.#directory = directory;
  }

  /** Checks namespaces that are new since the last call. Errors: CommandFailed. */
  async meetNew(plan: NodePlan): Promise<void> {
    const gateways = gatewaysOf(plan);
    if (gateways.size === 0) return;
    const there = await readdir(this.#directory).catch(none);
    const fresh = there.filter((name) => !this.#seen.has(name));
    this.#seen = new Set(there);
    for (const name of fresh) await this.#clear(join(this.#directory, name), gateways);
  }

  /** Checks the containers that the engine reports. Errors: CommandFailed. */
  async look(sandboxes: readonly Sandbox[], plan: NodePlan): Promise<void> {
    const gateways = gatewaysOf(plan);
    const internal = new Set(plan.networks.flatMap((one) => (one.internal ? [one.id] : [])));
    const nowMs = performance.now();
    const paths = new Set(sandboxes.map(({ path }) => path));
    for (const path of this.#looked.keys()) if (!paths.has(path)) this.#looked.delete(path);
    for (const { path, endpoints } of sandboxes) {
      if (!endpoints.some(({ network }) => internal.has(network))) continue;
      this.#directory = dirname(path);
      const now = endpoints.map(({ endpoint }) => endpoint).join(" ");
      const last = this.#looked.get(path);
      if (last?.places === now && nowMs - last.atMs < anewMs) continue;
      await this.#clear(path, gateways);
      this.#looked.set(path, { places: now, atMs: nowMs });
      this.#seen = new Set([...this.#seen, basename(path)]);
    }
  }

  async #clear(path: string, gateways: ReadonlySet<string>): Promise<void> {
    const run = enter(this.#run, path);
    try {
      const found = await run("ip", ["-4", "-j", "route", "show", "default"]);
      const defaults = routes(found.trim() === "" ? [] : JSON.parse(found), "ip route");
      for (const { gateway = "" } of defaults) {
        const via = ip4(gateway);
        if (via === undefined || !gateways.has(via)) continue;
        await run("ip", ["-4", "route", "del", "default", "via", via]);
      }
    } catch (thrown) {
      // The namespace has gone, or belongs to somebody else and cannot be entered.
      if (!(thrown instanceof CommandFailed) || thrown.missing) throw thrown;
    }
  }
}

/** Docker creates the directory with its first container. */
function none(thrown: unknown): string[] {
  if (!hasCode(thrown, "ENOENT")) throw thrown;
  return [];
}

function gatewaysOf({ networks }: NodePlan): ReadonlySet<string> {
  return new Set(networks.flatMap(({ internal, gateway }) => (internal ? [gateway] : [])));
}
