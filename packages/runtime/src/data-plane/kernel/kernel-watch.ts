/**
 * Kernel watch: calls a listener when something of gam's changed in the kernel.
 *
 * It reads two programs: `ip monitor` for devices, addresses and neighbours, `nft monitor` for the packet filter.
 * Only lines that name something of gam's count, and those that say that forwarding was switched off or that
 * somebody removed rules of a firewall: gam's own rules there may be among them. It does not say what changed or who changed it, so gam's own
 * changes are reported as well.
 *
 * A program that has just started does not receive events yet, and does not say when it does. The kernel's list of
 * netlink sockets shows that moment. The listener is called then, because a change before it was missed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { commandEnvironment } from "./command.ts";

/** The netlink socket that a program has once it receives events. */
export interface Ear {
  /** Source: linux/netlink.h. */
  readonly family: number;
  /** The multicast group that it joins, as a bit of the mask that the kernel shows. */
  readonly group: number;
}

interface Listener {
  readonly program: string;
  readonly args: readonly string[];
  readonly ear: Ear;
  /**
   * Lines about things of gam's. Neighbours of bridges are left out: every container that sends changes them, and
   * the plan does not have them.
   */
  readonly own: RegExp;
  /** Lines about a container's link in one of gam's bridges. */
  readonly port?: RegExp;
}

export interface KernelEars {
  /** Something of gam's changed. */
  onChange(): void;
  /** A container came to a bridge or left one. */
  onPort(): void;
}

const listeners: readonly Listener[] = [
  {
    program: "ip",
    args: ["-o", "monitor", "link", "address", "neigh", "netconf"],
    ear: { family: 0, group: 1 << 0 }, // NETLINK_ROUTE, RTNLGRP_LINK
    own: /^(?:Deleted )?\d+: gam(?:x?-|wg)|\bdev gamx-|^(?:inet|ipv4) (?:dev )?all .*\bforwarding off/,
    port: /^(?:Deleted )?\d+: .*\bmaster gam-/,
  },
  {
    program: "nft",
    args: ["monitor"],
    ear: { family: 12, group: 1 << 6 }, // NETLINK_NETFILTER, NFNLGRP_NFTABLES
    // The fast path's table is of another family and left out: it changes often, and can wait for the next audit.
    own: /^(?:add|delete|insert|replace|destroy) \w+ ip6? gam\b|^(?:delete|destroy) (?:table ip \S+|(?:rule|chain) ip filter (?:FORWARD|DOCKER-USER))(?: |$)/,
  },
];
const restartMs = 1_000;
const restartMsMax = 60_000;
const earEveryMs = 50;
/** When the kernel does not list the socket, the program is assumed to receive events by then. */
const earMsMax = 5_000;
/** A program that ran for so long did not fail to start: the restart delay begins anew. */
const soundMs = 10_000;

export class KernelWatch {
  readonly #ears: KernelEars;
  readonly #children = new Set<ChildProcess>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #closed = false;

  constructor(ears: KernelEars) {
    this.#ears = ears;
  }

  start(): void {
    for (const listener of listeners) this.#listen(listener, restartMs);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const child of this.#children) child.kill();
  }

  #listen(listener: Listener, delayMs: number): void {
    const { program, args, own, port } = listener;
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "ignore"],
      env: commandEnvironment,
    });
    const startedMs = performance.now();
    this.#children.add(child);
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (own.test(line)) this.#ears.onChange();
      else if (port?.test(line)) this.#ears.onPort();
    });
    let ended = false;
    const again = (): void => {
      if (ended) return;
      ended = true;
      this.#children.delete(child);
      if (this.#closed) return;
      const sound = performance.now() - startedMs > soundMs;
      const waitMs = sound ? restartMs : delayMs;
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#listen(listener, Math.min(waitMs * 2, restartMsMax));
      }, waitMs);
      timer.unref();
      this.#timers.add(timer);
    };
    child.once("error", again); // The program is missing: the data plane reports that.
    child.once("close", again);
    child.unref();
    this.#awaitEar(child, listener.ear, startedMs + earMsMax);
  }

  /** Calls the listener once the program receives events, because a change before that was missed. */
  #awaitEar(child: ChildProcess, ear: Ear, untilMs: number): void {
    const timer = setTimeout(async () => {
      this.#timers.delete(timer);
      const hears = await readFile(netlinkSockets, "utf8").then(
        (text) => isListening(text, child.pid ?? 0, ear),
        () => false,
      );
      if (!this.#children.has(child) || this.#closed) return;
      if (hears || performance.now() > untilMs) this.#ears.onChange();
      else this.#awaitEar(child, ear, untilMs);
    }, earEveryMs);
    timer.unref();
    this.#timers.add(timer);
  }
}

const netlinkSockets = "/proc/net/netlink";

/**
 * Whether a process has this socket.
 *
 * `text` is the kernel's list: a line of names, then `socket family port groups …`, the groups in hexadecimal. The
 * port of a program's first socket is its process id.
 */
export function isListening(text: string, pid: number, { family, group }: Ear): boolean {
  return text.split("\n").some((line) => {
    const [, theirs, port, groups = ""] = line.trim().split(/\s+/);
    const joined = (Number.parseInt(groups, 16) & group) !== 0;
    return Number(theirs) === family && Number(port) === pid && joined;
  });
}
