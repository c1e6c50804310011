/**
 * Forward rules: keeps iptables rules that let through packets whose destination gam has translated.
 *
 * Docker forwards nothing to a bridge on which no container publishes a port, and nothing between bridges. A
 * connection to a port that gam publishes must reach the ingress network all the same, and its replies must come
 * back. The rules match both by the connection's translated destination. A direct connection from one network to
 * another's containers has none, so Docker's isolation stays.
 *
 * These rules are the last in the chain that Docker keeps for its users (DOCKER-USER), so that what an
 * administrator refuses there stays refused. One more rule is the first: it accepts established connections
 * between gam's networks, which were let through before, so that their packets skip Docker's rules for each
 * bridge. Rules that an administrator puts before it stay before it. Without Docker's chain the rules are in
 * FORWARD.
 *
 * If a firewall script removes the engine's jumps to these chains, they are put back (engine-lines.ts), but not in a
 * loop with a program that removes them again and again (repairs.ts). Nothing else in iptables is changed.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { DeviceName } from "@gam/network";
import { CommandFailed, type Run } from "./command.ts";
import { type Chains, doubleJumps, engineLines, lacksEngine, lostLines } from "./engine-lines.ts";
import { Repairs } from "./repairs.ts";

const chains = ["DOCKER-USER", "FORWARD"] as const;
type Chain = (typeof chains)[number];

/**
 * The engine moves its jumps to the head of FORWARD whenever it makes a network: it removes and then inserts them.
 * What is missing for so long was removed by somebody else.
 */
const settleMs = 300;

const mark = "-m comment --comment gam";
const endOfChain = "-j RETURN";
const standing = `-i gam-+ -o gam-+ -m conntrack --ctstate ESTABLISHED ${mark} -j ACCEPT`;

function rulesFor(ingress: DeviceName | undefined): string[] {
  if (ingress === undefined) return [];
  const given = "-m conntrack --ctstate DNAT --ctdir";
  return [
    standing,
    `-o ${ingress} ${given} ORIGINAL ${mark} -j ACCEPT`,
    `-i gam-+ ${given} REPLY ${mark} -j ACCEPT`,
  ];
}

export class ForwardRules {
  readonly #run: Run;
  readonly #settle: () => Promise<void>;
  readonly #repairs = new Repairs();
  /** The engine's lines in FORWARD when none was missing. */
  #seen: readonly string[] = [];
  #notice: string | undefined;

  /** `settle`: waits until the engine has finished what it is doing. */
  constructor(run: Run, settle: () => Promise<void> = () => pause(settleMs)) {
    this.#run = run;
    this.#settle = settle;
  }

  /** What people should know about the host's firewall; `undefined`: nothing. */
  get notice(): string | undefined {
    return this.#notice;
  }

  /**
   * `ingress`: the bridge of the ingress network; `undefined`: there is none, so the rules are removed.
   *
   * Returns: what differed, for people. Errors: CommandFailed.
   */
  async apply(ingress: DeviceName | undefined): Promise<string[]> {
    const wanted = rulesFor(ingress);
    const rules = await this.#settledRules();
    if (rules === undefined) return []; // No iptables: then Docker does not use it either.
    const chain: Chain = rules.get("DOCKER-USER") === undefined ? "FORWARD" : "DOCKER-USER";
    const other: Chain = chain === "FORWARD" ? "DOCKER-USER" : "FORWARD";
    const found = await this.#putBack(rules);
    if (await this.#clear(other, rules.get(other))) found.push(`rules of gam's in ${other}`);
    if (isGood(rules.get(chain) ?? [], wanted)) return found;
    await this.#clear(chain, rules.get(chain));
    const rest = (rules.get(chain) ?? []).filter((rule) => !isOwn(rule));
    const end = rest.indexOf(endOfChain);
    for (const [index, rule] of wanted.entries()) {
      const atEnd = end < 0 ? ["-A", chain] : ["-I", chain, `${end + index + 1}`];
      const place = rule === standing ? ["-I", chain, "1"] : atEnd;
      await this.#iptables([...place, ...rule.split(" ")]);
    }
    return [...found, `rules of gam's in ${chain}`];
  }

  /** As #rules(); if lines of the engine are missing, looks a second time. */
  async #settledRules(): Promise<Map<string, string[]> | undefined> {
    const rules = await this.#rules();
    if (rules === undefined || lostLines(rules, this.#seen).length === 0) return rules;
    await this.#settle();
    return await this.#rules();
  }

  /** Puts the engine's lines back into FORWARD. Returns: what differed, for people. Errors: CommandFailed. */
  async #putBack(chains: Chains): Promise<string[]> {
    const nowMs = performance.now();
    const lost = lostLines(chains, this.#seen);
    if (lost.length === 0) this.#seen = engineLines(chains);
    // The engine has inserted its own after gam did. Without a repair the double is an administrator's.
    const double = this.#repairs.count(nowMs) > 0 ? doubleJumps(chains) : [];
    for (const rule of double) await this.#iptables(["-D", "FORWARD", ...rule.split(" ")]);
    const waitMs = lost.length === 0 ? 0 : this.#repairs.waitMs(nowMs);
    const isDue = lost.length > 0 && waitMs === 0;
    if (isDue) {
      for (const [index, rule] of lost.entries()) {
        await this.#iptables(["-I", "FORWARD", `${index + 1}`, ...rule.split(" ")]);
      }
      this.#repairs.done(nowMs);
    }
    const restored = lost.length > 0 && !isDue ? chains : withHead(chains, lost);
    this.#notice = noticeOf({
      count: this.#repairs.count(nowMs),
      waitSeconds: Math.ceil(waitMs / 1000),
      lacks: lacksEngine(restored),
    });
    return isDue ? ["the engine's rules in FORWARD"] : [];
  }

  /** Errors: CommandFailed. */
  async remove(): Promise<void> {
    const rules = await this.#rules();
    for (const chain of chains) await this.#clear(chain, rules?.get(chain));
  }

  /** Rules by chain; `undefined` when iptables is not installed. */
  async #rules(): Promise<Map<string, string[]> | undefined> {
    let listing: string;
    try {
      listing = await this.#iptables(["-S"]);
    } catch (thrown) {
      if (thrown instanceof CommandFailed && thrown.missing) return undefined;
      throw thrown;
    }
    const rules = new Map<string, string[]>();
    for (const line of listing.split("\n")) {
      const [verb, chain = "", ...rule] = line.split(" ");
      if (verb === "-N" || verb === "-P") rules.set(chain, []);
      if (verb === "-A") rules.get(chain)?.push(rule.join(" "));
    }
    return rules;
  }

  /** Removes gam's rules. Returns: whether there was one. */
  async #clear(chain: Chain, rules: readonly string[] = []): Promise<boolean> {
    const own = rules.filter(isOwn);
    for (const rule of own) await this.#iptables(["-D", chain, ...rule.split(" ")]);
    return own.length > 0;
  }

  async #iptables(args: readonly string[]): Promise<string> {
    return await this.#run("iptables", ["-w", "5", ...args]);
  }
}

function withHead(chains: Chains, lines: readonly string[]): Chains {
  return new Map([...chains, ["FORWARD", [...lines, ...(chains.get("FORWARD") ?? [])]]]);
}

function noticeOf({
  count,
  waitSeconds,
  lacks,
}: {
  readonly count: number;
  readonly waitSeconds: number;
  readonly lacks: boolean;
}): string | undefined {
  const what = 'the Docker engine\'s rules in the iptables chain "FORWARD"';
  const keep = 'Let firewall scripts keep the jump to "DOCKER-USER", and put own rules there';
  if (waitSeconds > 0) {
    return `Something keeps removing ${what}: published ports are closed, and gam puts them back in ${waitSeconds} s. ${keep}`;
  }
  if (lacks) {
    return `Something removed ${what}, which gam cannot restore: containers may reach nothing outside. Restart the engine ("systemctl restart docker")`;
  }
  if (count === 0) return undefined;
  const times = count === 1 ? "once" : `${count} times`;
  return `Something removed ${what} ${times} in the last 10 minutes, and gam put them back. ${keep}`;
}

function isOwn(rule: string): boolean {
  return rule.includes(mark);
}

/** Whether each wanted rule exists once, in order, and before the chain's RETURN. */
function isGood(rules: readonly string[], wanted: readonly string[]): boolean {
  const end = rules.indexOf(endOfChain);
  const last = rules.findLastIndex(isOwn);
  return rules.filter(isOwn).join("\n") === wanted.join("\n") && (end < 0 || last < end);
}
