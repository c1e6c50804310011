/**
 * Tunnel device: sets up WireGuard between this node and the others, in the kernel or by wireguard-go.
 *
 * wireguard-go keeps running without the agent and is found by its device and socket, so an agent that restarts
 * finds its tunnels unchanged. Configuring the same values again ends no session.
 *
 * When a key changes: the state names the new key, and within moments every node switches to it. A handshake that
 * starts before the other side has switched gets no answer and is retried after 5 s. So the node that owns the key
 * switches last (DataPlane waits 500 ms) and then sends a packet to each peer itself (`#greet`). The session is
 * ready one round trip later, and about a second of packets is lost.
 */
import { createSocket } from "node:dgram";
import { readFile } from "node:fs/promises";
import { check, rethrowInvariant } from "@gam/core";
import type { TunnelPlan } from "@gam/network";
import { CommandFailed, type Run } from "./kernel/command.ts";
import { applySettings } from "./kernel/kernel-settings.ts";
import { type KernelLink, listLinks } from "./kernel/read-links.ts";
import type { TunnelKeys } from "./tunnel-keys.ts";

export const tunnelDevice = "gamwg";
/** The discard port: nothing listens there by convention. The packet only has to be sent, not read. */
const discardPort = 9;
const startMs = 10_000;
const routes = check.list(check.object({ dst: check.string(64) }), 1 << 16);

export class TunnelDevice {
  readonly #run: Run;
  readonly #keys: TunnelKeys;
  /** The key and plan applied last, as text; `undefined` when the device's state is not known. */
  #applied: string | undefined;
  /** The private key with which the last greeting was sent. */
  #greeted: string | undefined;

  constructor(run: Run, keys: TunnelKeys) {
    this.#run = run;
    this.#keys = keys;
  }

  /**
   * Makes the device match the plan. `look`: checks the device even when the plan has not changed.
   *
   * Returns: what somebody else had changed. Errors: CommandFailed, those of /proc.
   */
  async apply(plan: TunnelPlan | undefined, look: boolean): Promise<string[]> {
    const wanted = JSON.stringify([this.#keys.privateKey, plan]);
    const known = this.#applied === wanted;
    if (known && !look) return [];
    this.#applied = undefined;
    const found = plan === undefined ? await this.#removeDevice() : await this.#make(plan, known);
    this.#applied = wanted;
    return known ? found : [];
  }

  /** Errors: CommandFailed. */
  async remove(): Promise<void> {
    this.#applied = undefined;
    await this.#removeDevice();
  }

  /** `known`: the plan has not changed since the device was last configured. */
  async #make(plan: TunnelPlan, known: boolean): Promise<string[]> {
    const found: string[] = [];
    let link = await this.#link();
    let dump = link === undefined ? undefined : await this.#dump();
    if (dump === undefined) {
      found.push(`${tunnelDevice}: missing`);
      if (link !== undefined) await this.#removeDevice(); // The program behind it does not answer.
      await this.#create();
      this.#greeted = undefined;
      link = await this.#link();
      dump = await this.#dump();
    }
    const peers = peersIn(dump ?? "");
    const differs = !isConfigured(dump ?? "", plan, this.#keys.privateKey);
    if (differs) found.push(`${tunnelDevice}: peers differ`);
    let failure: unknown;
    if (differs || !known) {
      await this.#configure(plan, peers).catch((thrown) => {
        rethrowInvariant(thrown);
        failure = thrown; // The other peers are configured, and must be reachable.
      });
    }
    found.push(...(await this.#dress(plan, link)));
    found.push(...(await applySettings(tunnelDevice, "tunnel")), ...(await this.#route(plan)));
    if (this.#greeted !== this.#keys.privateKey) {
      await this.#greet(plan);
      this.#greeted = this.#keys.privateKey;
    }
    if (failure !== undefined) throw failure;
    return found;
  }

  /** Sets address and MTU, and brings the device up. Returns: what differed. */
  async #dress(plan: TunnelPlan, link: KernelLink | undefined): Promise<string[]> {
    const lines: string[] = [];
    const found: string[] = [];
    const say = (line: string, what: string): void => {
      lines.push(line);
      found.push(`${tunnelDevice}: ${what}`);
    };
    const own = `${plan.address}/32`;
    const addresses = (link?.addr_info ?? [])
      .filter(({ family }) => family === "inet")
      .map(({ local, prefixlen }) => `${local}/${prefixlen}`);
    for (const address of addresses.filter((one) => one !== own)) {
      say(`addr del ${address} dev ${tunnelDevice}`, `extra ${address}`);
    }
    if (!addresses.includes(own)) say(`addr add ${own} dev ${tunnelDevice}`, `no ${own}`);
    if (link?.mtu !== plan.mtu) {
      say(`link set ${tunnelDevice} mtu ${plan.mtu}`, `MTU ${link?.mtu}`);
    }
    if (!link?.flags?.includes("UP")) say(`link set ${tunnelDevice} up`, "down");
    await this.#batch(lines);
    return found;
  }

  /** `peers`: the keys of the peers that the device has now. */
  async #configure(plan: TunnelPlan, peers: readonly string[]): Promise<void> {
    await this.#keys.withPrivateKeyFile((file) => this.#configureWith(file, plan, peers));
  }

  async #configureWith(keyFile: string, plan: TunnelPlan, peers: readonly string[]): Promise<void> {
    const wanted = new Set<string>(plan.peers.map(({ publicKey }) => publicKey));
    const own = [
      ...["set", tunnelDevice, "listen-port", `${plan.port}`],
      ...["private-key", keyFile],
      ...peers.filter((key) => !wanted.has(key)).flatMap((key) => ["peer", key, "remove"]),
    ];
    const others = plan.peers.map(({ publicKey, underlay, tunnel }) => [
      ...["peer", publicKey, "endpoint", `${underlay}:${plan.port}`],
      ...["allowed-ips", `${tunnel}/32,${underlay}/32`],
    ]);
    try {
      await this.#run("wg", [...own, ...others.flat()]);
    } catch (thrown) {
      if (!(thrown instanceof CommandFailed) || others.length < 2) throw thrown;
      await this.#configureEach([own, ...others.map((words) => ["set", tunnelDevice, ...words])]);
    }
  }

  /** A refused peer must not keep the others out. Errors: CommandFailed for the first refused call. */
  async #configureEach(calls: readonly (readonly string[])[]): Promise<void> {
    const failures: unknown[] = [];
    for (const words of calls) {
      await this.#run("wg", words).catch((thrown) => {
        rethrowInvariant(thrown);
        failures.push(thrown);
      });
    }
    if (failures.length > 0) throw failures[0];
  }

  async #route({ peers }: TunnelPlan): Promise<string[]> {
    const answer = await this.#run("ip", ["-4", "-j", "route", "show", "dev", tunnelDevice]);
    const known = routes(answer.trim() === "" ? [] : JSON.parse(answer), "ip route");
    const have = new Set(known.map(({ dst }) => dst));
    const want = new Set<string>(peers.map(({ tunnel }) => tunnel));
    const extra = [...have].filter((dst) => !want.has(dst));
    const missing = [...want].filter((dst) => !have.has(dst));
    await this.#batch([
      ...extra.map((dst) => `route del ${dst} dev ${tunnelDevice}`),
      ...missing.map((dst) => `route replace ${dst}/32 dev ${tunnelDevice}`),
    ]);
    return [
      ...extra.map((dst) => `${tunnelDevice}: extra route ${dst}`),
      ...missing.map((dst) => `${tunnelDevice}: no route ${dst}`),
    ];
  }

  async #batch(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    await this.#run("ip", ["-force", "-batch", "-"], { input: `${lines.join("\n")}\n` });
  }

  /** Starts a session with each peer. */
  async #greet({ peers }: TunnelPlan): Promise<void> {
    const socket = createSocket("udp4");
    socket.on("error", () => undefined);
    const sent = peers.map(
      ({ tunnel }) =>
        new Promise<void>((resolve) => {
          socket.send(new Uint8Array(1), discardPort, tunnel, () => resolve());
        }),
    );
    await Promise.all(sent);
    socket.close();
  }

  /** `undefined`: no program answers for the device. */
  async #dump(): Promise<string | undefined> {
    try {
      return await this.#run("wg", ["show", tunnelDevice, "dump"]);
    } catch (thrown) {
      if (thrown instanceof CommandFailed && !thrown.missing) return undefined;
      throw thrown;
    }
  }

  async #link(): Promise<KernelLink | undefined> {
    return (await listLinks(this.#run)).find(({ ifname }) => ifname === tunnelDevice);
  }

  /** In the kernel if it can, else by a program. */
  async #create(): Promise<void> {
    try {
      await this.#run("ip", ["link", "add", tunnelDevice, "type", "wireguard"]);
    } catch (thrown) {
      if (!(thrown instanceof CommandFailed)) throw thrown;
      await this.#run("wireguard-go", [tunnelDevice], { limitMs: startMs });
    }
  }

  async #removeDevice(): Promise<string[]> {
    // The file of the kernel costs nothing to read, and nodes without tunnels come here often.
    const devices = await readFile("/proc/net/dev", "utf8");
    if (!new RegExp(`^\\s*${tunnelDevice}:`, "m").test(devices)) return [];
    await this.#run("ip", ["link", "del", tunnelDevice]);
    return [`${tunnelDevice} is not wanted`];
  }
}

/** Keys of the peers that the device has. Source: wg(8), dump. */
function peersIn(dump: string): string[] {
  const [, ...peers] = dump.trim().split("\n");
  return peers.map((line) => line.split("\t")[0] ?? "");
}

/** Does not compare endpoints: WireGuard itself follows a peer whose address changed. Source: wg(8), dump. */
function isConfigured(dump: string, plan: TunnelPlan, privateKey: string): boolean {
  const [self = [], ...peers] = dump
    .trim()
    .split("\n")
    .map((line) => line.split("\t"));
  const found = peers.map(([key, , , allowed = ""]) => `${key} ${allowed.split(",").sort()}`);
  const want = plan.peers.map(
    ({ publicKey, underlay, tunnel }) =>
      `${publicKey} ${[`${tunnel}/32`, `${underlay}/32`].sort()}`,
  );
  return (
    self[0] === privateKey &&
    self[2] === `${plan.port}` &&
    found.sort().join("\n") === want.sort().join("\n")
  );
}
