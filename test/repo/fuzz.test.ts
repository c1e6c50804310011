/** A short fuzz of every decoder (`npm run fuzz` is the long one), and proof that it finds planted faults. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededRandom } from "@gam/core/testing";
import { runCampaign } from "../fuzz/campaign.ts";
import { ownModules, targetsOf } from "../fuzz/modules.ts";
import { makeInput } from "../fuzz/mutate.ts";
import { isRefusal, type Target } from "../fuzz/target.ts";
import { randomFor, work } from "../fuzz/worker.ts";

const inputs = 1_500;
const limits = { cpuMs: 100, memoryBytes: 64 * 2 ** 20 };

/** Fewer inputs: whole conversations are slow, and their decoders have targets of their own. */
const few: Readonly<Record<string, number>> = { "api-call": 300, "stack-file": 400 };

for (const module of ownModules) {
  for (const target of await targetsOf(module)) {
    test(`${target.name} takes a valid input, and is not broken by others`, async () => {
      assert.ok(await takesOne(target), "no seed is valid");
      const told: string[] = [];
      const progress = new SharedArrayBuffer(4);
      const to = few[target.name] ?? inputs;
      await work({ module, name: target.name, seed: 7, from: 0, to, limits, progress }, (one) => {
        if (one.kind === "broken") told.push(`input ${one.input}: ${one.found}`);
      });
      assert.deepEqual(told, []);
    });
  }
}

async function takesOne(target: Target): Promise<boolean> {
  await target.open?.();
  try {
    // The call that gets an input is random too.
    for (let seed = 1; seed < 50; seed += 1) {
      for (const input of target.seeds) {
        try {
          if (await target.take(input, seededRandom(seed))) return true;
        } catch (thrown) {
          assert.ok(isRefusal(target, thrown), String(thrown));
        }
      }
    }
    return false;
  } finally {
    await target.close?.();
  }
}

const planted: Readonly<Record<string, RegExp>> = {
  throws: /^threw TypeError: planted/,
  "throws-later": /^ended the process: SyntaxError/,
  "rejects-later": /^ended the process: Error: planted/,
  hangs: /^hangs/,
  "is-slow": /^took \d+ ms of CPU$/,
  "is-large": /^took \d+ MiB of memory$/,
  "eats-all": /^ended the process: .*memory/,
};

describe("a planted fault is found", { concurrency: true }, () => {
  for (const [name, want] of Object.entries(planted)) {
    test(name, async () => {
      const [target] = (await targetsOf("planted")).filter((one) => one.name === name);
      assert.ok(target !== undefined);
      const bad = firstBad(target);
      // From shortly before it, so that a thread that ends is restarted at most once.
      const from = Math.max(0, bad - 20);
      const { findings } = await runCampaign({
        module: "planted",
        name,
        seed: 3,
        from,
        inputs: bad - from + 1,
        hangMs: name === "hangs" ? 3_000 : 60_000,
        heapMegabytes: name === "eats-all" ? 96 : 768,
      });
      assert.equal(findings.length, 1, JSON.stringify(findings));
      assert.match(findings[0]?.found ?? "", want);
      assert.equal(findings[0]?.input, bad);
    });
  }
});

/** The first bad input, by the condition in planted-targets.ts. */
function firstBad(target: Target): number {
  for (let input = 0; ; input += 1) {
    const bytes = makeInput(target, randomFor(3, input));
    if (bytes.length > 3 && (bytes[2] ?? 0) > 0xf0) return input;
  }
}

test("an input is the same in every run", async () => {
  for (const target of await targetsOf("containers")) {
    const make = (): Uint8Array => makeInput(target, randomFor(9, 1234));
    assert.deepEqual(make(), make());
  }
});
