/**
 * Forward rules: rules in iptables that let through what gam has given an address itself.
 *
 * Docker forwards nothing to a bridge that no container published at, and nothing between bridges. What
 * came in by a published port of gam's goes to the ingress network all the same, and its answer goes
 * back: both are told by the connection's new destination. Whoever asks one network for another's
 * containers has no such connection, so Docker's isolation stays.
 *
 * These rules are the last in the chain that Docker keeps for its users, so that whatever an administrator
 * refuses there stays refused. One more is put at its head: connections between gam's networks that
 * stand were let through before, and need not go by all that Docker has for each of its bridges. What an
 * administrator puts before it stays there. Without Docker's chain they are in FORWARD. Everything else
 * in iptables is left as it is, in its order.
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
   * `ingress`: the bridge that published ports come in by, `undefined` where there is none.
   *
   * Shape: what was found otherwise, for people. Errors: CommandFailed.
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

  /** Rules by chain, `undefined` where there is no iptables. */
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

  /** Shape: whether there was one of gam's. */
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

/** Each is there once, in order, and is reached. */
function isGood(rules: readonly string[], wanted: readonly string[]): boolean {
  const end = rules.indexOf(endOfChain);
  const last = rules.findLastIndex(isOwn);
  return rules.filter(isOwn).join("\n") === wanted.join("\n") && (end < 0 || last < end);
}
