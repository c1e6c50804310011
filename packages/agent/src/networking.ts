/**
 * Networking: this host's part in networks across hosts, and the names in them.
 *
 * Decides only whether there is one: where it is switched off, or the host cannot, the node says why,
 * and its tasks are those that need none. And whether its containers may reach peers, as its operator says.
 */
import { join } from "node:path";
import { GamError } from "@gam/core";
import { type NodePlan, safePort, type Walls } from "@gam/network";
import {
  DataPlane,
  DnsServer,
  type DockerEngine,
  HostTrials,
  lineOf,
  lookAtHostNetwork,
  PortEar,
  type TrialSource,
  TunnelKeys,
} from "@gam/runtime";
import type { NodeNetwork } from "@gam/state";
import type { AgentConfig } from "./config.ts";
import type { AgentLog } from "./log.ts";

const switchedOff: NodeNetwork = {
  mtu: 1500,
  routes: [],
  encryption: "none",
  publicKey: "",
  problem:
    "networks across hosts are switched off on this host: its agent runs with --networks off",
};

/** Where this node's WireGuard keys are. */
export function tunnelDir({ dataDir }: AgentConfig): string {
  return join(dataDir, "tunnel");
}

export class Networking {
  readonly #keys: TunnelKeys;
  readonly #plane: DataPlane;
  readonly #dns: DnsServer;
  readonly #ear = new PortEar();
  readonly #trials = new HostTrials();
  readonly #isOn: boolean;
  readonly #config: AgentConfig;
  #plan: NodePlan | undefined;

  private constructor(keys: TunnelKeys, engine: DockerEngine, config: AgentConfig, log: AgentLog) {
    this.#keys = keys;
    this.#config = config;
    this.#isOn = config.networks;
    this.#plane = new DataPlane({
      networks: engine.networks,
      keys,
      log: (level, text, fields) => log[level](fields, text),
    });
    this.#dns = new DnsServer({ log });
  }

  /** Errors: CORRUPT_FILE, those of the disk. */
  static async open(config: AgentConfig, engine: DockerEngine, log: AgentLog): Promise<Networking> {
    const keys = await TunnelKeys.open(tunnelDir(config));
    const networking = new Networking(keys, engine, config, log);
    await networking.#deafen();
    return networking;
  }

  /** Sentences for people. Empty when all is as it is to be. */
  get problems(): readonly string[] {
    return [...(this.#plan?.problems ?? []), ...this.#plane.problems(), ...this.#dns.problems];
  }

  /** What was arranged last. */
  get plan(): NodePlan | undefined {
    return this.#plan;
  }

  arrange(plan: NodePlan): void {
    if (!this.#isOn) return;
    const walled = { ...plan, walls: this.#wallsOf(plan) };
    this.#plan = walled;
    this.#plane.apply(walled);
    this.#dns.serve(plan.dns);
  }

  /** The state has the ports that peers say they are reached at; this one may listen at another one. */
  #wallsOf({ walls, underlay }: NodePlan): Walls {
    const { containerMesh, listen } = this.#config;
    const device = lineOf(underlay);
    const line = device && { line: device };
    if (containerMesh) return { ...walls, ...line, doors: [], doors6: [], ownDoors: [] };
    const own = safePort(listen.port);
    const isKnown = own === undefined || walls.ownDoors.includes(own);
    const ownDoors = isKnown ? walls.ownDoors : [...walls.ownDoors, own];
    return { ...walls, ...line, ownDoors };
  }

  /** Shape: whether this host sends no connection by an older plan than the last, once that is known. */
  async steered(): Promise<boolean> {
    return await this.#plane.steered();
  }

  /** Ends when the last plan is applied, as far as it can be. */
  async settled(): Promise<void> {
    await this.#plane.settled();
  }

  /** The engine is there, or there again. */
  async audit(): Promise<void> {
    await this.#plane.audit();
  }

  /** Makes another key for tunnels, which is used as soon as the state shows it. Errors: those of the disk. */
  async rotateKeys(): Promise<void> {
    if (this.#isOn) await this.#keys.rotate();
  }

  /** `address`: under which the others reach this host. */
  async look(address: string): Promise<NodeNetwork> {
    if (!this.#isOn) return switchedOff;
    await this.#keys.rotateWhenDue(Date.now());
    const { publicKey } = this.#keys;
    return await lookAtHostNetwork(address, { publicKey, trials: this.#trials });
  }

  /**
   * Which other hosts' trial packets got here, of those that were sent since somebody asked.
   *
   * Errors: NOT_SUPPORTED where networks are switched off; those of PortEar.
   */
  async heard(): Promise<readonly TrialSource[]> {
    if (!this.#isOn) throw new GamError("NOT_SUPPORTED", `Cannot listen: ${switchedOff.problem}`);
    return await this.#ear.heard();
  }

  /** Everything stays as it is and works on, but for names. */
  async close(): Promise<void> {
    await this.#dns.close();
    await this.#deafen();
    await this.#plane.close();
  }

  /** Takes away every trace. Errors: what stayed. */
  async remove(): Promise<void> {
    await this.#dns.close();
    await this.#deafen();
    if (this.#isOn) await this.#plane.remove();
    else await this.#plane.close();
  }

  async #deafen(): Promise<void> {
    if (this.#isOn) await this.#ear.close();
  }
}
