/** Fake networks: replaces the engine in tests on a real kernel. It makes bridges and nothing else. */

import type { NetworkId } from "@gam/core";
import type { NetworkPlan } from "@gam/state";
import type { BridgeEndpoint } from "../data-plane/bridge-rescue.ts";
import type { EngineNetworks } from "../data-plane/data-plane.ts";
import { runCommand } from "../data-plane/kernel/command.ts";
import type { Sandbox } from "../data-plane/kernel/sandbox.ts";

export class FakeNetworks implements EngineNetworks {
  readonly #bridges = new Map<NetworkId, string>();
  readonly endpoints = new Map<NetworkId, readonly BridgeEndpoint[]>();
  sandboxList: readonly Sandbox[] = [];
  /** When set, reconcile() fails with it. */
  failure: Error | undefined;
  /** Called when a bridge exists and has no address yet. */
  halfway: (() => Promise<void>) | undefined;

  async reconcile(plans: readonly NetworkPlan[]): Promise<boolean> {
    if (this.failure !== undefined) throw this.failure;
    const wanted = new Set(plans.map(({ network }) => network));
    await this.prune([...wanted]);
    const missing = plans.filter(({ network }) => !this.#bridges.has(network));
    for (const plan of missing) await this.#make(plan);
    return missing.length > 0;
  }

  async remake(plan: NetworkPlan): Promise<void> {
    await this.#make(plan);
  }

  async endpointsOn(network: NetworkId): Promise<readonly BridgeEndpoint[]> {
    return this.endpoints.get(network) ?? [];
  }

  async sandboxes(): Promise<readonly Sandbox[]> {
    return this.sandboxList;
  }

  async prune(keep: readonly NetworkId[]): Promise<void> {
    for (const [network, bridge] of this.#bridges) {
      if (keep.includes(network)) continue;
      await runCommand("ip", ["link", "del", bridge]);
      this.#bridges.delete(network);
    }
  }

  async #make({ network, gateway, body }: NetworkPlan): Promise<void> {
    const bridge = body.Options["com.docker.network.bridge.name"] ?? "";
    const bits = body.IPAM.Config[0]?.Subnet?.split("/")[1];
    await runCommand("ip", ["link", "add", bridge, "type", "bridge"]);
    await this.halfway?.();
    const lines = [`addr add ${gateway}/${bits} dev ${bridge}`, `link set ${bridge} up`];
    await runCommand("ip", ["-batch", "-"], { input: lines.join("\n") });
    this.#bridges.set(network, bridge);
  }
}
