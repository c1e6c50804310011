/**
 * Host network: what this host's network and kernel can do, as the node tells the cluster.
 *
 * What the kernel can do is found by trying: devices are made under gam's name and deleted at once. That takes
 * ten programs, so a host that lacks nothing is tried again only every ten minutes. A program or module that goes
 * meanwhile is a problem that the data plane finds at its next use.
 */
import { open } from "node:fs/promises";
import { check, rethrowInvariant } from "@gam/core";
import type { NodeNetwork } from "@gam/state";
import { CommandFailed, type Run, runCommand } from "./kernel/command.ts";
import { offerBridgeFilter } from "./kernel/kernel-settings.ts";
import { isOwnDevice, listLinks } from "./kernel/read-links.ts";
import { tunnelDevice } from "./tunnel-device.ts";

export interface HostNetworkOptions {
  /** WireGuard public key to be told where the host can encrypt, base64. */
  readonly publicKey: string;
  readonly run?: Run;
  /** Kept from one look to the next. */
  readonly trials?: HostTrials;
}

const mtuDefault = 1500;
const soundMs = 600_000;
/** Not of a name that the data plane would clear away. */
const trial = "gamtrial";
/** A port and a network that no VXLAN device has by custom, so that the trial meets none. */
const trialOverlay = ["type", "vxlan", "id", "16777215", "dstport", "4788", "local", "127.0.0.1"];
/** The part of nftables that a kernel may have been built without. */
const trialTimeout = `add ct timeout ip ${trial} t { protocol tcp; policy = { time_wait : 1 }; };`;
const routes = check.list(
  check.object({ dst: check.string(64), dev: check.optional(check.string(64)) }),
  1 << 20,
);
const packages: Readonly<Record<string, string>> = {
  ip: "iproute2",
  bridge: "iproute2",
  nft: "nftables",
};

/**
 * Looks at the host that other hosts reach at `address` (IPv4).
 *
 * Never rejects for what the host lacks: `problem` says it, and what to do.
 */
export async function lookAtHostNetwork(
  address: string,
  { publicKey, run = runCommand, trials = new HostTrials() }: HostNetworkOptions,
): Promise<NodeNetwork> {
  const problem = await trials.problem(run);
  try {
    const encryption = problem === "" ? await trials.encryption(run) : "none";
    return {
      mtu: await mtuAt(run, address),
      routes: await routesOf(run),
      encryption,
      publicKey: encryption === "none" ? "" : publicKey,
      problem,
    };
  } catch (thrown) {
    if (!(thrown instanceof CommandFailed)) throw thrown;
    const found = { mtu: mtuDefault, routes: [], encryption: "none", publicKey: "" } as const;
    return {
      ...found,
      problem: problem || `Cannot look at this host's network: ${thrown.message}`,
    };
  }
}

/** What the kernel and the programs of this host were found to offer. */
export class HostTrials {
  readonly #nowMs: () => number;
  #soundUntilMs = Number.NEGATIVE_INFINITY;
  #encryption: NodeNetwork["encryption"] | undefined;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Returns: as NodeNetwork has it. Tries again once what was found is old, and as long as something is missing. */
  async problem(run: Run): Promise<string> {
    if (this.#nowMs() < this.#soundUntilMs) return "";
    this.#encryption = undefined;
    const problem = await problemOf(run);
    if (problem === "") this.#soundUntilMs = this.#nowMs() + soundMs;
    return problem;
  }

  /** Call it after problem(). Errors: CommandFailed. */
  async encryption(run: Run): Promise<NodeNetwork["encryption"]> {
    this.#encryption ??= await encryptionOf(run);
    return this.#encryption;
  }
}

/** Shape: what stands in the way of networks across hosts, with what to do about it; "" for nothing. */
async function problemOf(run: Run): Promise<string> {
  const tries: readonly (readonly [string, readonly string[]])[] = [
    ["ip", ["-V"]],
    ["bridge", ["-V"]],
    ["nft", ["--version"]],
    ["ip", ["link", "add", trial, ...trialOverlay]],
    ["ip", ["link", "del", trial]],
    ["nft", ["--check", `add table ip ${trial}; ${trialTimeout}`]],
  ];
  for (const [program, args] of tries) {
    try {
      await run(program, args);
    } catch (thrown) {
      if (!(thrown instanceof CommandFailed)) throw thrown;
      // An earlier look was cut off.
      if (args[1] === "add" && /File exists/.test(thrown.stderr)) continue;
      return sentenceOf(thrown, args);
    }
  }
  if (await offerBridgeFilter(run)) return "";
  return "The kernel does not filter bridged packets: run `modprobe br_netfilter`";
}

function sentenceOf(
  { program, missing, stderr, message }: CommandFailed,
  args: readonly string[],
): string {
  if (missing) return `Program "${program}" is missing: install the package ${packages[program]}`;
  if (/not permitted|permission denied/i.test(stderr)) {
    return "The agent may not change the network: run it as root or with CAP_NET_ADMIN";
  }
  if (/unknown device type|not supported/i.test(stderr) && args.includes("vxlan")) {
    return "The kernel has no VXLAN: run `modprobe vxlan`, or use a kernel that has it";
  }
  if (program === "nft") {
    return `The kernel has no nftables with timeouts (NF_TABLES, NFT_CT, NF_CONNTRACK_TIMEOUT): ${message}`;
  }
  return message;
}

async function encryptionOf(run: Run): Promise<NodeNetwork["encryption"]> {
  if (!(await works(run, "wg", ["--version"]))) return "none";
  if (await works(run, "ip", ["link", "add", trial, "type", "wireguard"])) {
    await run("ip", ["link", "del", trial]);
    return "kernel";
  }
  if (!(await canTunnel())) return "none";
  return (await works(run, "wireguard-go", ["--version"])) ? "userspace" : "none";
}

async function canTunnel(): Promise<boolean> {
  try {
    await (await open("/dev/net/tun", "r+")).close();
    return true;
  } catch (thrown) {
    rethrowInvariant(thrown);
    return false;
  }
}

async function works(run: Run, program: string, args: readonly string[]): Promise<boolean> {
  try {
    await run(program, args);
    return true;
  } catch (thrown) {
    if (thrown instanceof CommandFailed) return false;
    throw thrown;
  }
}

/** Of the device with the address; where the host does not know its own address, of the smallest. */
async function mtuAt(run: Run, address: string): Promise<number> {
  const links = (await listLinks(run)).filter(
    ({ ifname = "", flags }) => !isOwn(ifname) && !flags?.includes("LOOPBACK"),
  );
  const own = links.find(({ addr_info }) => addr_info?.some(({ local }) => local === address));
  const up = links.filter(({ flags, linkinfo }) => flags?.includes("UP") && linkinfo === undefined);
  return own?.mtu ?? Math.min(mtuDefault, ...up.map(({ mtu }) => mtu ?? mtuDefault));
}

async function routesOf(run: Run): Promise<string[]> {
  const answer = await run("ip", ["-4", "-j", "route", "show"]);
  const found = routes(answer.trim() === "" ? [] : JSON.parse(answer), "ip route");
  const ranges = found
    .filter(({ dst, dev = "" }) => dst !== "default" && !isOwn(dev))
    .map(({ dst }) => (dst.includes("/") ? dst : `${dst}/32`));
  return [...new Set(ranges)].sort();
}

function isOwn(device: string): boolean {
  return isOwnDevice(device) || device === tunnelDevice;
}
