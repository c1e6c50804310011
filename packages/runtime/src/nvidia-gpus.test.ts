import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { nvidiaGpus } from "./nvidia-gpus.ts";

const folder = mkdtempSync(join(tmpdir(), "gam-gpus-"));
after(() => rmSync(folder, { recursive: true }));
const information = (uuid: string): string =>
  `Model: \t\t NVIDIA A100\nIRQ:   \t\t 5\nGPU UUID: \t ${uuid}\nVideo BIOS: \t ??.??.??\n`;
for (const [bus, text] of Object.entries({
  "0000:02:00.0": information("GPU-bbbbbbbb-1111-2222-3333-444444444444"),
  "0000:01:00.0": information("GPU-aaaaaaaa-1111-2222-3333-444444444444"),
  // A driver that has not read the GPU yet.
  "0000:03:00.0": information("GPU-????????-????-????-????-????????????"),
})) {
  mkdirSync(join(folder, bus));
  writeFileSync(join(folder, bus, "information"), text);
}
mkdirSync(join(folder, "0000:04:00.0"));

const valuesOf = async (runtimes: readonly string[], at: string): Promise<(string | undefined)[]> =>
  (await nvidiaGpus(runtimes, at)).map(({ NamedResourceSpec }) => NamedResourceSpec?.Value);

test("GPUs are those that the driver knows", async () => {
  assert.deepEqual(await valuesOf(["runc", "nvidia"], folder), [
    "GPU-aaaaaaaa-1111-2222-3333-444444444444",
    "GPU-bbbbbbbb-1111-2222-3333-444444444444",
  ]);
});

test("a host without NVIDIA's runtime or driver has none", async () => {
  assert.deepEqual(await valuesOf(["runc"], folder), []);
  assert.deepEqual(await valuesOf(["runc", "nvidia"], join(folder, "none")), []);
});
