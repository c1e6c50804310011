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
 * FORWARD. Nothing else in iptables is changed.
 */
import type { DeviceName } from "@gam/network";
import { CommandFailed, type Run } from "./command.ts";

const chains = ["DOCKER-USER", "FORWARD"] as const;
type Chain = (typeof chains)[number];

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

  constructor(run: Run) {
    this.#run = run;
  }

  /**
   * `ingress`: the bridge of the ingress network; `undefined`: there is none, so the rules are removed.
   *
   * Returns: what differed, for people. Errors: CommandFailed.
   */
  async apply(ingress: DeviceName | undefined): Promise<string[]> {
    const wanted = rulesFor(ingress);
    const rules = await this.#rules();
    if (rules === undefined) return []; // No iptables: then Docker does not use it either.
    const chain: Chain = rules.get("DOCKER-USER") === undefined ? "FORWARD" : "DOCKER-USER";
    const other: Chain = chain === "FORWARD" ? "DOCKER-USER" : "FORWARD";
    const found: string[] = [];
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

function isOwn(rule: string): boolean {
  return rule.includes(mark);
}

/** Whether each wanted rule exists once, in order, and before the chain's RETURN. */
function isGood(rules: readonly string[], wanted: readonly string[]): boolean {
  const end = rules.indexOf(endOfChain);
  const last = rules.findLastIndex(isOwn);
  return rules.filter(isOwn).join("\n") === wanted.join("\n") && (end < 0 || last < end);
}
