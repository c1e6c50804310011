import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { Lab, labUnavailable } from "./clusters/lab.ts";
import { LabState } from "./hosts/lab-state.ts";

const skip = labUnavailable() ?? false;
const number = 42;
const checkout = join(import.meta.dirname, "../..");

describe("scripts/try", { skip }, () => {
  after(async () => {
    await Lab.down(number);
  });

  test("runs its story to the end and leaves nothing behind", async () => {
    const { child, said, over } = start();
    assert.equal(await over, 0, said.text);
    assert.equal(child.signalCode, null);
    assert.match(said.text, /loses power.*leads now.*replicas run again.*comes back/s);
    assert.ok(!said.text.includes("\u001b"), "no colours without a terminal");
    assert.deepEqual(traces(), []);
  });

  for (const moment of ["1. 3 hosts", "gam join", "loses power"]) {
    test(`leaves nothing behind when it is interrupted at "${moment}"`, async () => {
      const { child, said, over } = start();
      while (child.exitCode === null && !said.text.includes(moment)) await said.more();
      child.kill("SIGINT");
      assert.equal(await over, 130, said.text);
      assert.deepEqual(traces(), []);
    });
  }
});

interface Said {
  text: string;
  /** Resolves when there is more, or an end. */
  more(): Promise<void>;
}

function start(): { child: ChildProcess; said: Said; over: Promise<number | null> } {
  const args = ["--lab", String(number)];
  const child = spawn(join(checkout, "scripts/try"), args, { stdio: ["ignore", "pipe", "pipe"] });
  const said: Said = {
    text: "",
    more: () =>
      new Promise((resolve) => {
        const told = (): void => {
          child.stdout.off("data", told);
          child.off("close", told);
          resolve();
        };
        child.stdout.on("data", told);
        child.on("close", told);
      }),
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      said.text += chunk.toString();
    });
  }
  const over = new Promise<number | null>((resolve) => child.on("close", resolve));
  return { child, said, over };
}

function traces(): string[] {
  const state = new LabState(number);
  return [state.exists && state.folder, state.cgroup.exists && "its cgroup"].filter(
    (trace) => trace !== false,
  );
}
