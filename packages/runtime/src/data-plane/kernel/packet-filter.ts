/**
 * Packet filter: writes gam's own nftables table of one family, and checks that the kernel still has it.
 *
 * `@gam/network` computes the content. A change is sent as the difference to the last written table, in one
 * transaction. A check lists the table and compares it with the listing saved after the last whole write, so only
 * text is compared and nothing is parsed. After differences the next check writes the whole table once more, which
 * also verifies the differences.
 *
 * Somebody may change the table between the write and the listing. The saved listing would then be wrong for good.
 * So a check writes and lists until two listings agree, and does so again after some checks.
 */
import { type NftTable, refilledTable, tableChange, tableName, wholeTable } from "@gam/network";
import { CommandFailed, type Run } from "./command.ts";

/** Two of these listings agree, unless somebody is changing the table just now. */
const writesMax = 4;
/** Checks that may trust the saved listing before a rewrite (about 10 minutes when idle). */
const beliefChecks = 40;
/** nft says "not supported" when the kernel does not know the family. */
const noTable = /No such file|not supported/;
const setBlock = /^\tset (\S+) \{\n[\s\S]*?^\t\}\n/gm;

export class PacketFilter {
  readonly #run: Run;
  readonly #family: NftTable["family"];
  #written: NftTable | undefined;
  /** The listing after the last whole write; `undefined` once a difference was written. */
  #listing: string | undefined;
  #believed = 0;

  constructor(run: Run, family: NftTable["family"]) {
    this.#run = run;
    this.#family = family;
  }

  /** Writes the table. Errors: CommandFailed; the next write is then a whole one. */
  async write(table: NftTable): Promise<void> {
    const before = this.#written;
    const change = before === undefined ? undefined : tableChange(before, table);
    if (change === "") {
      this.#written = table;
      return;
    }
    this.doubt();
    try {
      if (change === undefined) await this.#sendWhole(table, await this.#list());
      else await this.#send(change);
    } catch (thrown) {
      if (change === undefined || !(thrown instanceof CommandFailed)) throw thrown;
      // Somebody has deleted what the difference builds on.
      await this.#sendWhole(table, await this.#list());
    }
    this.#written = table;
  }

  /**
   * Writes the whole table unless the kernel has it. `proving: false` trusts the table after differences, which is
   * cheaper. Use it only for a table that may be empty without harm.
   *
   * Returns: whether the kernel did not have it. Errors: CommandFailed.
   */
  async check({ proving = true } = {}): Promise<boolean> {
    const table = this.#written;
    if (table === undefined) return false;
    const before = await this.#list();
    this.#believed += 1;
    if (!proving && this.#believed < beliefChecks) this.#listing ??= textOf(before, table);
    if (textOf(before, table) === this.#listing && this.#believed < beliefChecks) return false;
    this.doubt();
    let found = before;
    let last: string | undefined;
    for (let writes = 0; writes < writesMax && this.#listing === undefined; writes += 1) {
      await this.#sendWhole(table, found);
      found = await this.#list();
      const listed = textOf(found, table);
      if (listed === last) this.#listing = listed;
      last = listed;
    }
    this.#written = table;
    this.#believed = 0;
    return inOrder(textOf(before, table)) !== inOrder(textOf(found, table));
  }

  /** Makes the next write a whole one. Call it when the kernel's table may no longer be the written one. */
  doubt(): void {
    this.#written = undefined;
    this.#listing = undefined;
  }

  /** Errors: CommandFailed. */
  async remove(): Promise<void> {
    this.doubt();
    if ((await this.#list()) === "") return;
    const name = `table ${this.#family} ${tableName}`;
    await this.#send(`${name} {\n}\ndelete ${name}\n`);
  }

  async #sendWhole(table: NftTable, found: string): Promise<void> {
    try {
      await this.#send(refilledTable(table, found));
    } catch (thrown) {
      if (found === "" || !(thrown instanceof CommandFailed)) throw thrown;
      // Somebody has made an object of another kind under one of gam's names.
      await this.#send(wholeTable(table, found));
    }
  }

  async #send(input: string): Promise<void> {
    await this.#run("nft", ["-f", "-"], { input });
  }

  /** The listing without counters and other state; "" when there is no such table. */
  async #list(): Promise<string> {
    try {
      return await this.#run("nft", ["-s", "list", "table", this.#family, tableName]);
    } catch (thrown) {
      if (thrown instanceof CommandFailed && noTable.test(thrown.stderr)) return "";
      throw thrown;
    }
  }
}

/** The listing without the sets that the kernel fills by itself. */
function textOf(listing: string, { lasting }: NftTable): string {
  return listing.replaceAll(setBlock, (block, name: string) =>
    lasting.has(`set ${name}`) ? "" : block,
  );
}

/** Sorts the listing's blocks: nft lists them in the order of their creation, which has no meaning. */
function inOrder(listing: string): string {
  return listing
    .split(/\n(?=\t\w|\})/)
    .map((block) => block.trim())
    .sort()
    .join("\n");
}
