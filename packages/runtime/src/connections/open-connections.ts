/**
 * Open connections: counts the TCP connections to a task, in its own network namespace.
 *
 * The host's connection tracking does not see those that take the fast path (data-plane/fast-path.ts), and it has
 * outgoing ones too. The sockets of the namespace are what the task really serves, by whatever way they came: from containers of any
 * host, and by published ports. No program is started to read them, but the kernel looks through its whole table of
 * connections for each list: 5 ms where the table has 260,000 places. So a list without sockets is not read.
 *
 * A connection counts while the client or the task may still send something. So one that the task has closed does not,
 * once the client has all of it. UDP has no connections.
 *
 * Source: proc_net_tcp in the kernel's documentation; states in include/net/tcp_states.h; proc(5), net/sockstat. The
 * kernel lists the sockets that listen before all others.
 */
import { type FileHandle, open, readFile } from "node:fs/promises";
import { endianness } from "node:os";

const listening = "0A";
/** Established, a handshake that has not ended, and closed by one end while something is still under way. */
const openStates: ReadonlySet<string> = new Set(["01", "03", "04", "08", "09", "0B"]);
/** An IPv4 address in the list of IPv6. Its second word is as the machine writes numbers. */
const mapped = endianness() === "LE" ? "0000000000000000FFFF0000" : "00000000000000000000FFFF";
/** Some 50,000 sockets. A task that has more has some for a while. */
const listBytesMax = 8 << 20;
const chunkBytes = 1 << 16;
/** What reading says of a process that has ended, and of a kernel without IPv6. */
const goneCodes: ReadonlySet<string> = new Set(["ENOENT", "ESRCH", "EINVAL"]);

/**
 * `pid`: a process of the task. `addresses`: the task's own, IPv4. Returns: how many; of a very long list at least one,
 * and perhaps too few. 0 when the process has ended. Errors: those of reading a file.
 */
export async function openConnections(pid: number, addresses: readonly string[]): Promise<number> {
  const own = new Set(addresses.map(wordOf).flatMap((word) => [word, `${mapped}${word}`]));
  const lists = ["", "6"].map(async (version) => {
    return await unlessGone(async () => {
      const sockets = await readFile(`/proc/${pid}/net/sockstat${version}`, "utf8");
      const isEmpty = new RegExp(`^TCP${version}: inuse 0\\b`, "m").test(sockets);
      return isEmpty ? 0 : await countIn(`/proc/${pid}/net/tcp${version}`, own);
    });
  });
  const counts = await Promise.all(lists);
  return counts.reduce((sum, count) => sum + count, 0);
}

/** The address as the lists have it: hexadecimal, in the machine's own order of bytes. */
function wordOf(address: string): string {
  const bytes = Buffer.from(address.split(".").map(Number));
  if (endianness() === "LE") bytes.reverse();
  return bytes.toString("hex").toUpperCase();
}

async function unlessGone(count: () => Promise<number>): Promise<number> {
  try {
    return await count();
  } catch (thrown) {
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
    if (goneCodes.has(code)) return 0;
    throw thrown;
  }
}

async function countIn(path: string, own: ReadonlySet<string>): Promise<number> {
  const file = await open(path);
  try {
    return await countOf(file, own);
  } finally {
    await file.close();
  }
}

async function countOf(file: FileHandle, own: ReadonlySet<string>): Promise<number> {
  const ports = new Set<string>();
  const chunk = Buffer.alloc(chunkBytes);
  let count = 0;
  let rest = "";
  for (let read = 0; read <= listBytesMax; ) {
    const { bytesRead } = await file.read(chunk, 0, chunkBytes, null);
    if (bytesRead === 0) return count;
    read += bytesRead;
    const lines = `${rest}${chunk.toString("latin1", 0, bytesRead)}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const [, local = "", , state = ""] = line.trim().split(/\s+/, 4);
      const [address = "", port = ""] = local.split(":");
      if (state === listening) ports.add(port);
      else if (openStates.has(state) && own.has(address) && ports.has(port)) count += 1;
    }
  }
  return Math.max(1, count);
}
