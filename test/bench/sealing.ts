/**
 * Sealing: what the encryption of the journal costs a write, beside the write itself.
 *
 *   node test/bench/sealing.ts [--writes 1000]
 *
 * Each write of the journal is one record, which is encrypted and framed anew, appended and synced. The first figure
 * is the processor time of the first two, which hardly depends on the load of the machine.
 */
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32c } from "@gam/core";
import { HostCipher } from "@gam/files";
import { sealRecord } from "@gam/peer";
import { print } from "./support/figures.ts";
import { benchOptions } from "./support/options.ts";

const { writes } = benchOptions({ writes: 1000 });
const file = "journal-0000000001";
const cipher = new HostCipher(new Uint8Array(32).fill(7)).of(`journal ${file}`);
const seal = (payload: Uint8Array, _file: string, sequence: number): Uint8Array =>
  cipher.seal(payload, String(sequence));

/** A plain record: header (magic, checksum, sequence, length) and payload. */
function recordOf(bytes: number): Uint8Array {
  const record = Buffer.alloc(16 + bytes, 0x5a);
  record.writeUInt32BE(0x47414d52, 0);
  record.writeUInt32BE(1, 8);
  record.writeUInt32BE(bytes, 12);
  record.writeUInt32BE(crc32c(record.subarray(8)), 4);
  return record;
}

const folder = await mkdtemp(join(tmpdir(), "gam-sealing-"));
const handle = await open(join(folder, file), "a");
try {
  for (const bytes of [600, 16 * 1024, 1024 * 1024]) {
    const record = recordOf(bytes);
    const count = bytes > 100_000 ? writes / 10 : writes;
    const before = process.cpuUsage();
    for (let n = 0; n < count; n += 1) sealRecord(record, file, seal);
    const { user, system } = process.cpuUsage(before);
    print(`encrypt a record of ${bytes} bytes`, [(user + system) / count], "µs of a processor");
    const synced: number[] = [];
    for (let n = 0; n < count / 10; n += 1) {
      const startedMs = performance.now();
      await handle.write(sealRecord(record, file, seal));
      await handle.datasync();
      synced.push((performance.now() - startedMs) * 1000);
    }
    print("  encrypt, append and sync it", synced, "µs");
  }
} finally {
  await handle.close();
  await rm(folder, { recursive: true });
}
