/**
 * Networking: this host's part in networks across hosts, and DNS in them.
 *
 * Decides only whether this host takes part, and whether its containers may reach peers, as its operator chose.
 * If networks are switched off or the host cannot have them, the node reports why and gets only tasks without
 * networks.
 */
import { join } from "node:path";
import { GamError } from "@gam/core";
import type { HostCipher } from "@gam/files";
import { type NodePlan, safePort, type Walls } from "@gam/network";
import {
  DataPlane,
  DnsServer,
  type DockerEngine,
  HostLine,
  HostTrials,
  lookAtHostNetwork,
  PortEar,
  type TrialSource,
  TunnelKeys,
} from "@gam/runtime";
import type { NodeNetwork } from "@gam/state";
import type { AgentConfig } from "./config.ts";
import type { AgentLog } from "./log.ts";
import { KeptNames } from "./names/kept-names.ts";

const switchedOff: NodeNetwork = {
  mtu: 1500,
  routes: [],
  encryption: "none",
  publicKey: "",
  problem:
    "networks across hosts are switched off: the agent of this host runs with --networks off. Restart it with --networks on",
};

/** Returns: the folder of this node's WireGuard keys. */
export function tunnelDir({ dataDir }: AgentConfig): string {
  return join(dataDir, "tunnel");
}

export class Networking {
  readonly #keys: TunnelKeys;
  readonly #plane: DataPlane;
  readonly #dns: DnsServer;
  readonly #ear = new PortEar();
  readonly #line = new HostLine();
  readonly #trials = new HostTrials();
  readonly #isOn: boolean;
  readonly #config: AgentConfig;
  readonly #kept: KeptNames;
  #keepsNames = false;
  #plan: NodePlan | undefined;

  private constructor(keys: TunnelKeys, engine: DockerEngine, config: AgentConfig, log: AgentLog) {
    this.#keys = keys;
    this.#config = config;
    this.#isOn = config.networks;
    this.#kept = new KeptNames(config, log);
    this.#plane = new DataPlane({
      networks: engine.networks,
      keys,
      log: (level, text, fields) => log[level](fields, text),
      onUpstreams: (upstreams) => this.#dns.redirect(upstreams),
    });
    this.#dns = new DnsServer({ log });
  }

  /** Errors: CORRUPT_FILE, those of the disk. */
  static async open(
    config: AgentConfig,
    { engine, log, cipher }: { engine: DockerEngine; log: AgentLog; cipher: HostCipher },
  ): Promise<Networking> {
    const keys = await TunnelKeys.open(tunnelDir(config), cipher);
    const networking = new Networking(keys, engine, config, log);
    await networking.#deafen();
    return networking;
  }

  /** What does not work, in sentences for users. Empty if everything works. */
  get problems(): readonly string[] {
    return [...(this.#plan?.problems ?? []), ...this.#plane.problems(), ...this.#dns.problems];
  }

  /** The last plan. */
  get plan(): NodePlan | undefined {
    return this.#plan;
  }

  arrange(plan: NodePlan): void {
    if (!this.#isOn) return;
    const walled = { ...plan, walls: this.#wallsOf(plan) };
    this.#plan = walled;
    this.#plane.apply(walled);
    this.#dns.serve(plan.dns);
    if (this.#keepsNames) this.#kept.keep(plan.dns);
  }

  /** `isLocked`: whether this host is locked when it starts. Its names are then kept for that time. */
  async keepNames(isLocked: boolean): Promise<void> {
    if (this.#keepsNames === isLocked) return;
    this.#keepsNames = isLocked;
    if (!isLocked) await this.#kept.forget();
    else if (this.#plan !== undefined) this.#kept.keep(this.#plan.dns);
  }

  /** Adds the port at which this peer listens: the state has only advertised ports, which may differ. */
  #wallsOf({ walls, underlay }: NodePlan): Walls {
    const { containerMesh, listen } = this.#config;
    const device = this.#line.of(underlay, performance.now());
    const line = device && { line: device };
    if (containerMesh) return { ...walls, ...line, doors: [], doors6: [], ownDoors: [] };
    const own = safePort(listen.port);
    const isKnown = own === undefined || walls.ownDoors.includes(own);
    const ownDoors = isKnown ? walls.ownDoors : [...walls.ownDoors, own];
    return { ...walls, ...line, ownDoors };
  }

  /** Resolves to whether this host sends connections by the last plan only, and by no older one. */
  async steered(): Promise<boolean> {
    return await this.#plane.steered();
  }

  /** Resolves when the last plan is applied, as far as possible. */
  async settled(): Promise<void> {
    await this.#plane.settled();
  }

  /** Checks the networks after the engine has started or restarted. */
  async audit(): Promise<void> {
    await this.#plane.audit();
  }

  /** Creates a new key for tunnels; tunnels use it as soon as the state shows it. Errors: those of the disk. */
  async rotateKeys(): Promise<void> {
    if (this.#isOn) await this.#keys.rotate();
  }

  /** `address`: where the other hosts reach this one. */
  async look(address: string): Promise<NodeNetwork> {
    if (!this.#isOn) return switchedOff;
    await this.#keys.rotateWhenDue(Date.now());
    const { publicKey } = this.#keys;
    return await lookAtHostNetwork(address, { publicKey, trials: this.#trials });
  }

  /**
   * Returns: the sources of trial packets that arrived lately, while this host listened. Each call keeps it
   * listening.
   *
   * Errors: NOT_SUPPORTED where networks are switched off; those of PortEar.
   */
  async heard(): Promise<readonly TrialSource[]> {
    if (!this.#isOn) throw new GamError("NOT_SUPPORTED", `Cannot listen: ${switchedOff.problem}`);
    return await this.#ear.heard();
  }

  /** Kernel networking keeps running; DNS stops. */
  async close(): Promise<void> {
    await this.#kept.settled();
    await this.#dns.close();
    await this.#deafen();
    await this.#plane.close();
  }

  /** Removes everything that gam made. Errors: what could not be removed. */
  async remove(): Promise<void> {
    await this.#kept.forget();
    await this.#dns.close();
    await this.#deafen();
    if (this.#isOn) await this.#plane.remove();
    else await this.#plane.close();
  }

  async #deafen(): Promise<void> {
    if (this.#isOn) await this.#ear.close();
  }
}
