/**
 * Host network: finds out what this host's network and kernel can do, for the node's report to the cluster.
 *
 * It tests the kernel by creating devices under gam's name and deleting them at once. That runs ten programs, so a
 * host that lacks nothing is tested again only every ten minutes. When a program or module disappears in between,
 * the data plane reports it at the next use.
 */
import { open } from "node:fs/promises";
import { check, rethrowInvariant } from "@gam/core";
import type { NodeNetwork } from "@gam/state";
import { CommandFailed, type Run, runCommand } from "./kernel/command.ts";
import { offerBridgeFilter } from "./kernel/kernel-settings.ts";
import { isOwnDevice, listLinks } from "./kernel/read-links.ts";
import { tunnelDevice } from "./tunnel-device.ts";

export interface HostNetworkOptions {
  /** WireGuard public key in base64. Reported only when the host can encrypt. */
  readonly publicKey: string;
  readonly run?: Run;
  /** Keep it from one call to the next. */
  readonly trials?: HostTrials;
}

const mtuDefault = 1500;
const soundMs = 600_000;
/** A name that the data plane does not delete as its own. */
const trial = "gamtrial";
/** A port and a network that VXLAN devices do not use by convention, so that the trial conflicts with none. */
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
 * Describes the network of this host, which other hosts reach at `address` (IPv4).
 *
 * Never rejects because the host lacks something: `problem` says what is missing and what to do.
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
      problem: problem || `Cannot read this host's network: ${thrown.message}`,
    };
  }
}

/** Saved results of the tests of this host's kernel and programs. */
export class HostTrials {
  readonly #nowMs: () => number;
  #soundUntilMs = Number.NEGATIVE_INFINITY;
  #encryption: NodeNetwork["encryption"] | undefined;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Returns: `problem` of NodeNetwork. Tests again when the result is old or something was missing. */
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

/** Returns: what prevents networks across hosts and what to do about it; "" when nothing does. */
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
      // A trial device is left over from an interrupted test.
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

/** MTU of the device with the address. When no device has it (NAT): the smallest MTU of devices that are up. */
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
