/**
 * Packet filter: gam's own tables of nftables.
 *
 * What is in them is worked out by `@gam/network`. A change is sent as a difference to what was written
 * last, in one transaction. Whether the kernel still has it is told by listing the tables: the listing
 * is remembered once the whole has been written, so only text is compared and nothing is interpreted.
 * After differences the whole is written once more at the next check, which proves them as well.
 *
 * Somebody may change the table between the writing and the listing, and what is remembered then would
 * be taken for right for ever. So it is written and listed until two listings agree, and after some
 * checks again.
 */
import { type NodePlan, ruleset, rulesetChange } from "@gam/network";
import type { Run } from "./command.ts";

/** Family and name of the table that the plan is written to. */
const planned = "ip gam";
/** Two of them agree, unless somebody is at it just now. */
const writesMax = 4;
/** What is remembered is believed so often: ten minutes, where nothing happens. */
const beliefChecks = 40;
const ownTable = /^table (\w+) (gam(?:_\w+)?)$/gm;

/** Family and name of a table to what `nft list` says of it. */
type Listings = ReadonlyMap<string, string>;

export class PacketFilter {
  readonly #run: Run;
  #written: NodePlan | undefined;
  /** The tables as listed after the whole was written, and nothing since. */
  #listing: string | undefined;
  #believed = 0;

  constructor(run: Run) {
    this.#run = run;
  }

  /** Errors: CommandFailed. Afterwards the next write is one of the whole. */
  async write(plan: NodePlan): Promise<void> {
    const before = this.#written;
    const change = before === undefined ? undefined : rulesetChange(before, plan);
    if (change === "") {
      this.#written = plan;
      return;
    }
    this.#written = undefined;
    this.#listing = undefined;
    try {
      if (change === undefined) await this.#sendWhole(plan, await this.#list());
      else await this.#send(change);
    } catch (thrown) {
      if (change === undefined) throw thrown;
      // Somebody has taken away what the difference builds upon.
      await this.#sendWhole(plan, await this.#list());
    }
    this.#written = plan;
  }

  /** Writes the whole unless the kernel has it. Shape: whether it had not. Errors: CommandFailed. */
  async check(): Promise<boolean> {
    const plan = this.#written;
    if (plan === undefined) return false;
    const before = await this.#list();
    this.#believed += 1;
    if (textOf(before) === this.#listing && this.#believed < beliefChecks) return false;
    this.#written = undefined;
    this.#listing = undefined;
    let found = before;
    let last: string | undefined;
    for (let writes = 0; writes < writesMax && this.#listing === undefined; writes += 1) {
      await this.#sendWhole(plan, found);
      found = await this.#list();
      const listed = textOf(found);
      if (listed === last) this.#listing = listed;
      last = listed;
    }
    this.#written = plan;
    this.#believed = 0;
    return inOrder(textOf(before)) !== inOrder(textOf(found));
  }

  /** Errors: CommandFailed. */
  async remove(): Promise<void> {
    this.#written = undefined;
    this.#listing = undefined;
    const lines = (await this.#tables()).map((table) => `delete table ${table}\n`);
    if (lines.length > 0) await this.#send(lines.join(""));
  }

  async #sendWhole(plan: NodePlan, found: Listings): Promise<void> {
    await this.#send(ruleset(plan, found.get(planned)));
  }

  async #send(input: string): Promise<void> {
    await this.#run("nft", ["-f", "-"], { input });
  }

  /** Family and name of each of gam's tables. */
  async #tables(): Promise<string[]> {
    const listing = await this.#run("nft", ["list", "tables"]);
    return [...listing.matchAll(ownTable)].map(([, family, name]) => `${family} ${name}`).sort();
  }

  /** Without counters and other state. */
  async #list(): Promise<Listings> {
    const listings = new Map<string, string>();
    for (const table of await this.#tables()) {
      listings.set(table, await this.#run("nft", ["-s", "list", "table", ...table.split(" ")]));
    }
    return listings;
  }
}

function textOf(listings: Listings): string {
  return [...listings.values()].join("\n");
}

/** Chains, sets and the like are listed in the order in which they were made, which means nothing. */
function inOrder(listing: string): string {
  return listing
    .split(/\n(?=\t\w|\})/)
    .map((block) => block.trim())
    .sort()
    .join("\n");
}
