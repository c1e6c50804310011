/**
 * Packet filter: gam's own table of nftables, of one family.
 *
 * What is in it is worked out by `@gam/network`. A change is sent as a difference to what was written
 * last, in one transaction. Whether the kernel still has it is told by listing the table: the listing
 * is remembered once the whole has been written, so only text is compared and nothing is interpreted.
 * After differences the whole is written once more at the next check, which proves them as well.
 *
 * Somebody may change the table between the writing and the listing, and what is remembered then would
 * be taken for right for ever. So it is written and listed until two listings agree, and after some
 * checks again.
 */
import { type NftTable, refilledTable, tableChange, tableName, wholeTable } from "@gam/network";
import { CommandFailed, type Run } from "./command.ts";

/** Two of them agree, unless somebody is at it just now. */
const writesMax = 4;
/** What is remembered is believed so often: ten minutes, where nothing happens. */
const beliefChecks = 40;
/** The second where the kernel does not know the family. */
const noTable = /No such file|not supported/;
const setBlock = /^\tset (\S+) \{\n[\s\S]*?^\t\}\n/gm;

export class PacketFilter {
  readonly #run: Run;
  readonly #family: NftTable["family"];
  #written: NftTable | undefined;
  /** The table as listed after the whole was written, and nothing since. */
  #listing: string | undefined;
  #believed = 0;

  constructor(run: Run, family: NftTable["family"]) {
    this.#run = run;
    this.#family = family;
  }

  /** Errors: CommandFailed. Afterwards the next write is one of the whole. */
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
      // Somebody has taken away what the difference builds upon.
      await this.#sendWhole(table, await this.#list());
    }
    this.#written = table;
  }

  /**
   * Writes the whole unless the kernel has it. `proving: false` takes what is there after differences for
   * right, which is cheaper: for a table that may as well be empty.
   *
   * Shape: whether it had not. Errors: CommandFailed.
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

  /** The next write is one of the whole: the table may mean something else than when it was written. */
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
      // Somebody has made something else under a name of gam's.
      await this.#send(wholeTable(table, found));
    }
  }

  async #send(input: string): Promise<void> {
    await this.#run("nft", ["-f", "-"], { input });
  }

  /** Without counters and other state; "" where there is no such table. */
  async #list(): Promise<string> {
    try {
      return await this.#run("nft", ["-s", "list", "table", this.#family, tableName]);
    } catch (thrown) {
      if (thrown instanceof CommandFailed && noTable.test(thrown.stderr)) return "";
      throw thrown;
    }
  }
}

/** Without the sets that the kernel fills by itself. */
function textOf(listing: string, { lasting }: NftTable): string {
  return listing.replaceAll(setBlock, (block, name: string) =>
    lasting.has(`set ${name}`) ? "" : block,
  );
}

/** Chains, sets and the like are listed in the order in which they were made, which means nothing. */
function inOrder(listing: string): string {
  return listing
    .split(/\n(?=\t\w|\})/)
    .map((block) => block.trim())
    .sort()
    .join("\n");
}
