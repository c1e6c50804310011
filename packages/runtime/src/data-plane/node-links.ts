/**
 * Node links: the bridges, devices and entries of this node, and the settings of its bridges.
 *
 * Decides when to read the kernel, and when to trust what was written last. The steps themselves come from
 * link-steps.ts. A bridge that the engine is still making is left out until the engine is done.
 *
 * Drive it with apply() and then settings() in the kernel's round, and rescue() after the engine's.
 */
import { GamError, type NetworkId } from "@gam/core";
import type { NodePlan } from "@gam/network";
import type { NetworkPlan } from "@gam/state";
import { type BridgeEndpoint, rescueBridge } from "./bridge-rescue.ts";
import type { Run } from "./kernel/command.ts";
import { allowForwarding, applySettings, offerBridgeFilter } from "./kernel/kernel-settings.ts";
import { type BridgeState, type LinkState, linksOf } from "./kernel/link-state.ts";
import { linkSteps, within, withPorts } from "./kernel/link-steps.ts";
import { isOwnDevice, listLinks, readLinks } from "./kernel/read-links.ts";
import { Repairs } from "./kernel/repairs.ts";
import { runSteps } from "./kernel/run-steps.ts";
import type { PartReports } from "./part-reports.ts";

/** The part of the engine's networks that can lose a bridge. */
export interface BridgedNetworks {
  /** Makes it again, with a new bridge. */
  remake(plan: NetworkPlan): Promise<void>;
  endpointsOn(network: NetworkId): Promise<readonly BridgeEndpoint[]>;
}

export interface NodeLinksParts {
  readonly run: Run;
  readonly networks: BridgedNetworks;
  readonly reports: Pick<PartReports, "mended" | "notice">;
  /** Whether the engine may be making bridges now. */
  readonly isEngineBusy: () => boolean;
  /** A device was added: containers may need other routes. */
  readonly onLinkAdded: () => void;
}

export class NodeLinks {
  readonly #parts: NodeLinksParts;
  /** Links as they were written last; `undefined` when that is not known. */
  #links: LinkState | undefined;
  /** Bridges that have their settings. */
  readonly #set = new Set<string>();
  readonly #repairs = new Repairs();
  #isStale = false;

  constructor(parts: NodeLinksParts) {
    this.#parts = parts;
  }

  /** Something else has changed links since they were read: the next apply() reads them. */
  get isStale(): boolean {
    return this.#isStale;
  }

  doubt(): void {
    this.#isStale = true;
  }

  /** Returns: with `look`, what had changed since it was written. Errors: those of the kernel. */
  async apply(plan: NodePlan, look: boolean): Promise<string[]> {
    const { run, onLinkAdded } = this.#parts;
    const left = this.#links;
    const read = look || this.#isStale || left === undefined;
    this.#links = undefined;
    this.#isStale = false;
    const have = this.#withoutUnfinished(read ? await readLinks(run) : left);
    const want = withPorts(within(linksOf(plan), have), have);
    const steps = linkSteps(have, want);
    await runSteps(run, steps);
    this.#links = want;
    const mended = look && left !== undefined ? linkSteps(have, within(left, have)) : [];
    if (steps.some(({ line }) => line.startsWith("link add "))) onLinkAdded();
    return mended.map(({ found }) => found);
  }

  /**
   * Returns: with `look`, which settings had changed since they were written.
   *
   * Errors: NOT_SUPPORTED without br_netfilter; those of the kernel.
   */
  async settings(plan: NodePlan, look: boolean): Promise<string[]> {
    const { reports } = this.#parts;
    const there = plan.networks.filter(({ bridge }) => this.#links?.bridges.has(bridge));
    const names = new Set<string>(there.map(({ bridge }) => bridge));
    for (const name of this.#set) if (!names.has(name)) this.#set.delete(name);
    const due = there.filter(({ bridge }) => look || !this.#set.has(bridge));
    if (due.length === 0 && !look) return [];
    const found: string[] = [];
    const isRepair = this.#set.size > 0;
    if (!isRepair || this.#repairs.waitMs(performance.now()) === 0) {
      const forwarding = await allowForwarding();
      if (isRepair && forwarding.length > 0) {
        found.push(...forwarding);
        this.#repairs.done(performance.now());
      }
    }
    reports.notice("settings", forwardingNotice(this.#repairs));
    for (const { bridge } of due) {
      const differences = await applySettings(bridge, "bridge");
      if (this.#set.has(bridge)) found.push(...differences);
      this.#set.add(bridge);
    }
    if (!(await offerBridgeFilter(this.#parts.run))) {
      throw new GamError(
        "NOT_SUPPORTED",
        'Cannot filter bridged packets: kernel module br_netfilter is missing. Run "modprobe br_netfilter"',
      );
    }
    return found;
  }

  /** Restores bridges that the engine still lists but the kernel has lost. Returns: whether there was one. */
  async rescue({ networks }: NodePlan): Promise<boolean> {
    const { run, networks: engine, reports } = this.#parts;
    const there = new Set((await listLinks(run)).map(({ ifname }) => ifname));
    const missing = networks.filter(({ bridge }) => !there.has(bridge));
    for (const { id, bridge, engine: plan } of missing) {
      this.#set.delete(bridge);
      const endpoints = await engine.endpointsOn(id);
      if (endpoints.length === 0) await engine.remake(plan);
      else await rescueBridge(run, bridge, endpoints);
      reports.mended([`${bridge}: missing`]);
    }
    return missing.length > 0;
  }

  /** Deletes all devices of gam. Errors: those of the kernel. */
  async remove(): Promise<void> {
    const { run } = this.#parts;
    const own = (await listLinks(run)).flatMap(({ ifname = "" }) =>
      isOwnDevice(ifname) ? [`link del ${ifname}`] : [],
    );
    if (own.length === 0) return;
    await run("ip", ["-force", "-batch", "-"], { input: `${own.join("\n")}\n` });
  }

  /** The engine sets a bridge up last. It fails when the bridge has its address before. */
  #withoutUnfinished(have: LinkState): LinkState {
    const isUnfinished = ([name, { up }]: [string, BridgeState]): boolean =>
      !up && !this.#set.has(name) && this.#parts.isEngineBusy();
    const unfinished = [...have.bridges].filter(isUnfinished);
    if (unfinished.length === 0) return have;
    this.#isStale = true;
    const names = new Set(unfinished.map(([name]) => name));
    const bridges = new Map([...have.bridges].filter(([name]) => !names.has(name)));
    return { ...have, bridges };
  }
}

function forwardingNotice(repairs: Repairs): string | undefined {
  const nowMs = performance.now();
  const count = repairs.count(nowMs);
  if (count === 0) return undefined;
  const waitSeconds = Math.ceil(repairs.waitMs(nowMs) / 1000);
  const times = count === 1 ? "once" : `${count} times`;
  const then =
    waitSeconds === 0 ? "gam switched it on" : `gam waits ${waitSeconds} s if it happens again`;
  return `Something switched off IP forwarding ${times} in the last 10 minutes, and ${then}. Set "net.ipv4.ip_forward = 1" in /etc/sysctl.conf`;
}
