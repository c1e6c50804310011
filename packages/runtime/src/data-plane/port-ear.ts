/**
 * Port ear: finds out which trial packets reached this host through all of its firewalls.
 *
 * A socket cannot receive them, because the kernel itself holds the ports of VXLAN and WireGuard. So an nftables
 * table, behind all other rules, records the senders. It exists while somebody calls heard(), and some seconds
 * longer.
 */
import { check, rethrowInvariant } from "@gam/core";
import { CommandFailed, type Run, runCommand } from "./kernel/command.ts";
import { Lane } from "./kernel/lane.ts";

/** The sender of a trial packet: an IPv4 address and a UDP port. */
export interface TrialSource {
  readonly address: string;
  readonly port: number;
}

const mark = "gam?";
/**
 * The first bytes of a trial packet. VXLAN drops it because its flags are wrong and no network has its number;
 * WireGuard drops it because its type is wrong.
 */
export const trialHead = Buffer.from(`${mark}\0\0\0\0`, "latin1");

const checkTrialSource: check.Check<TrialSource> = check.object({
  address: check.string(64),
  port: check.integer(),
});
export const checkTrialSources = check.list(checkTrialSource, 1 << 16);

const table = "ip gamprobe";
const definition = `
add table ${table}
add set ${table} heard { type ipv4_addr . inet_service; flags dynamic,timeout; timeout 30s; size 65535; }
add chain ${table} input { type filter hook input priority 2000; policy accept; }
flush chain ${table} input
add rule ${table} input meta l4proto udp @th,64,32 0x${Buffer.from(mark).toString("hex")} add @heard { ip saddr . udp sport }
`;
const idleMs = 10_000;

const listing = check.object({
  nftables: check.list(
    check.object({
      set: check.optional(check.object({ elem: check.optional(check.list(element, 1 << 16)) })),
    }),
    16,
  ),
});

/** `{"elem": {"val": {"concat": ["10.0.0.1", 4711]}, …}}` */
function element(value: unknown, where: string): TrialSource {
  const { elem } = check.object({
    elem: check.object({
      val: check.object({ concat: check.list((one: unknown) => one, 2) }),
    }),
  })(value, where);
  const [address, port] = elem.val.concat;
  return checkTrialSource({ address, port }, where);
}

function onlyFailures(thrown: unknown): void {
  if (!(thrown instanceof CommandFailed)) throw thrown;
}

export class PortEar {
  readonly #run: Run;
  readonly #lane = new Lane(() => this.#look());
  #heard: readonly TrialSource[] = [];
  #failure: unknown;
  #idle: NodeJS.Timeout | undefined;

  constructor(run: Run = runCommand) {
    this.#run = run;
  }

  /**
   * Starts listening, unless it listens already.
   *
   * Returns: the senders of the last 30 s.
   * Errors: CommandFailed; GamError BAD_FRAME when nft's output cannot be read.
   */
  async heard(): Promise<readonly TrialSource[]> {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.close(), idleMs).unref();
    await this.#lane.once();
    if (this.#failure !== undefined) throw this.#failure;
    return this.#heard;
  }

  /** Deletes the table, also one that an earlier agent left. An nft that fails cannot have made one. */
  async close(): Promise<void> {
    clearTimeout(this.#idle);
    await this.#lane.idle();
    const input = `add table ${table}\ndelete table ${table}\n`;
    await this.#run("nft", ["-f", "-"], { input }).catch(onlyFailures);
  }

  async #look(): Promise<void> {
    try {
      this.#failure = undefined;
      this.#heard = await this.#list();
    } catch (thrown) {
      rethrowInvariant(thrown);
      this.#failure = thrown;
    }
  }

  async #list(): Promise<readonly TrialSource[]> {
    let text: string;
    try {
      text = await this.#run("nft", ["-j", "list", "set", ...table.split(" "), "heard"]);
    } catch (thrown) {
      if (!(thrown instanceof CommandFailed) || thrown.missing) throw thrown;
      // The table does not exist yet, or somebody has flushed the ruleset.
      await this.#run("nft", ["-f", "-"], { input: definition });
      return [];
    }
    return listing(JSON.parse(text), "nft list set").nftables.flatMap(({ set }) => set?.elem ?? []);
  }
}
