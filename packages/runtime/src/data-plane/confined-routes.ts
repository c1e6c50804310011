/**
 * Confined routes: no default route leads a container into an internal network.
 *
 * Engines before 28 give a container one, by the network's gateway. Nothing gets through there (walls.ts in
 * `@gam/network`), but what a container sends to the outside is to be refused at once, as in Swarm, and not to be
 * waited for. A container that is in another network as well keeps the route that it has by that one.
 *
 * New namespaces are looked at as soon as their link is there, some milliseconds after the engine has made the route and
 * before it tells of the container; known ones again when their places change, and now and then, because an engine
 * makes the route anew when a container leaves its other network.
 */
import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { check, hasCode } from "@gam/core";
import { ip4, type NodePlan } from "@gam/network";
import { CommandFailed, type Run } from "./kernel/command.ts";
import { enter, type Sandbox } from "./kernel/sandbox.ts";

/** Where engines keep the namespaces of their containers, unless they say otherwise. */
const directoryDefault = "/var/run/docker/netns";
const anewMs = 60_000;
const routes = check.list(check.object({ gateway: check.optional(check.string(64)) }), 4096);

export class ConfinedRoutes {
  readonly #run: Run;
  #directory: string;
  /** Files of namespaces that have been looked at. */
  #seen: ReadonlySet<string> = new Set();
  /** Path of a namespace to its places when it was looked at, and when that was. */
  readonly #looked = new Map<string, { readonly places: string; readonly atMs: number }>();

  constructor(run: Run, directory = directoryDefault) {
    this.#run = run;
    this.#directory = directory;
  }

  /** Looks at namespaces that have come since. Errors: CommandFailed. */
  async meetNew(plan: NodePlan): Promise<void> {
    const gateways = gatewaysOf(plan);
    if (gateways.size === 0) return;
    const there = await readdir(this.#directory).catch(none);
    const fresh = there.filter((name) => !this.#seen.has(name));
    this.#seen = new Set(there);
    for (const name of fresh) await this.#clear(join(this.#directory, name), gateways);
  }

  /** Looks at containers as the engine tells them. Errors: CommandFailed. */
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
      // It has gone, or is another's that cannot be entered.
      if (!(thrown instanceof CommandFailed) || thrown.missing) throw thrown;
    }
  }
}

/** Docker makes the directory with its first container. */
function none(thrown: unknown): string[] {
  if (!hasCode(thrown, "ENOENT")) throw thrown;
  return [];
}

function gatewaysOf({ networks }: NodePlan): ReadonlySet<string> {
  return new Set(networks.flatMap(({ internal, gateway }) => (internal ? [gateway] : [])));
}
