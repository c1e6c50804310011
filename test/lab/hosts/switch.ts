/**
 * Switch: the bridge between the hosts of a lab, and its faults.
 *
 * It is in a network namespace of its own, which a file in the lab's folder keeps. So a lab adds nothing
 * to the machine's own network: no link and no nft table. And the machine's packet filter (a Docker
 * engine sets FORWARD to DROP and turns on bridge-nf-call-iptables) does not see a lab's frames.
 *
 * Decides which frames pass. Does not know processes: a port is a number and the PID of a network namespace.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { LabError } from "./lab-error.ts";
import { must, run } from "./run.ts";

/** Faults of a lab's network. Hosts are numbered from 1. */
export interface Faults {
  /** Hosts whose cable is out. */
  readonly cut: readonly number[];
  /** Groups that do not hear each other. A host in no group hears all. */
  readonly groups: readonly (readonly number[])[];
  /** Share of all frames that are lost, 0 to 100. */
  readonly lossPercent: number;
  /** Additional share of lost frames from and to one host. */
  readonly lossPercentOf: Readonly<Record<number, number>>;
}

export const noFaults: Faults = { cut: [], groups: [], lossPercent: 0, lossPercentOf: {} };

const bridge = "switch";
const portOf = (host: number): string => `port${host}`;

export class Switch {
  readonly #file: string;
  readonly #number: number;

  /** `file` keeps the namespace; `number` is the lab's, the third byte of every address. */
  constructor(file: string, number: number) {
    this.#file = file;
    this.#number = number;
  }

  addressOf(host: number): string {
    return `10.88.${this.#number}.${host}`;
  }

  async make(): Promise<void> {
    writeFileSync(this.#file, "");
    await must("unshare", [`--net=${this.#file}`, "true"]);
    await this.#batch([
      "link set lo up",
      // Without snooping, multicast (mDNS) reaches every port, also without a subscription.
      `link add ${bridge} type bridge mcast_snooping 0`,
      `link set ${bridge} up`,
    ]);
  }

  /** Gives the network namespace of `pid` its eth0. The cable is in unless `cut`. */
  async plug(host: number, pid: number, cut: boolean): Promise<void> {
    const port = portOf(host);
    // A machine keeps its MAC over a power cycle. With a new one it would be unreachable until the
    // others forget the old one.
    const hex = (value: number): string => value.toString(16).padStart(2, "0");
    const mac = `02:88:00:00:${hex(this.#number)}:${hex(host)}`;
    await this.#batch([
      `link add ${port} type veth peer name eth0 address ${mac} netns ${pid}`,
      `link set ${port} master ${bridge}`,
      ...(cut ? [] : [`link set ${port} up`]),
    ]);
    const inside = [
      "link set lo up",
      `addr add ${this.addressOf(host)}/24 dev eth0`,
      "link set eth0 up",
      // No default route, so that names and registries fail at once. But mDNS needs a route.
      "route add 224.0.0.0/4 dev eth0",
    ];
    const input = `${inside.join("\n")}\n`;
    await must("nsenter", [`--net=/proc/${pid}/ns/net`, "ip", "-batch", "-"], { input });
  }

  /** Pulls the cable first when a host loses power, so that the others do not hear its processes end. */
  async silence(host: number): Promise<void> {
    await run("nsenter", this.#enter(["ip", "link", "set", portOf(host), "down"]));
  }

  async unplug(host: number): Promise<void> {
    await run("nsenter", this.#enter(["ip", "link", "del", portOf(host)]));
  }

  /** Applies `faults` to the kernel, whatever was set before. `powered`: the hosts with a port. */
  async apply(faults: Faults, powered: readonly number[]): Promise<void> {
    const cables = powered.map(
      (host) => `link set ${portOf(host)} ${faults.cut.includes(host) ? "down" : "up"}`,
    );
    if (cables.length > 0) await this.#batch(cables);
    await must("nsenter", this.#enter(["nft", "-f", "-"]), { input: rulesOf(faults) });
  }

  /** Resolves when the capture runs. The returned function ends it, with all frames in the file (pcap). */
  async capture(file: string): Promise<() => Promise<void>> {
    const words = ["tcpdump", "-i", bridge, "-s", "0", "--immediate-mode", "-U", "-w", file];
    const child = spawn("nsenter", this.#enter(words), { stdio: ["ignore", "ignore", "pipe"] });
    const ended = once(child, "close");
    let said = "";
    await new Promise<void>((resolve, reject) => {
      // Read to the end: tcpdump writes this in pieces, and dies if the pipe closes between two.
      child.stderr.on("data", (part) => {
        said += String(part);
        if (said.includes("listening on")) resolve();
      });
      const fail = (): void => reject(new LabError(`Cannot capture on the switch: ${said}`));
      ended.then(fail, reject);
    });
    return async () => {
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new LabError(`The capture on the switch ended too early: ${said}`);
      }
      child.kill("SIGINT");
      await ended;
    };
  }

  async remove(): Promise<void> {
    if (!existsSync(this.#file)) return;
    await run("umount", [this.#file]);
  }

  #enter(command: readonly string[]): string[] {
    return [`--net=${this.#file}`, ...command];
  }

  async #batch(lines: readonly string[]): Promise<void> {
    const input = `${lines.join("\n")}\n`;
    await must("nsenter", this.#enter(["ip", "-batch", "-"]), { input });
  }
}

/** The nft transaction that replaces all rules. Exported for its test. */
export function rulesOf(faults: Faults): string {
  const rules: string[] = [];
  const set = (hosts: readonly number[]): string =>
    `{ ${hosts.map((host) => `"${portOf(host)}"`).join(", ")} }`;
  for (const group of faults.groups) {
    const others = faults.groups.filter((one) => one !== group).flat();
    if (group.length === 0 || others.length === 0) continue;
    rules.push(`iifname ${set(group)} oifname ${set(others)} drop`);
  }
  // Hundredths of a percent, because numgen counts in whole numbers.
  const lose = (percent: number): string =>
    `numgen random mod 10000 < ${Math.round(percent * 100)} drop`;
  if (faults.lossPercent > 0) rules.push(lose(faults.lossPercent));
  for (const [host, percent] of Object.entries(faults.lossPercentOf)) {
    if (percent <= 0) continue;
    rules.push(`iifname ${set([Number(host)])} ${lose(percent)}`);
    rules.push(`oifname ${set([Number(host)])} ${lose(percent)}`);
  }
  return [
    "add table bridge gam",
    "delete table bridge gam",
    "table bridge gam {",
    "  chain forward {",
    "    type filter hook forward priority 0; policy accept;",
    ...rules.map((rule) => `    ${rule}`),
    "  }",
    "}",
    "",
  ].join("\n");
}
