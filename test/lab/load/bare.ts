/**
 * Bare: what this machine does with nothing of gam in between. Calibration and benches compare with it.
 */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

const recordBytes = 4096;
const loopItems = 20_000;
const loopRuns = 5;

/**
 * Milliseconds that a fixed loop of JavaScript takes: objects that are made, sorted, written as JSON and read
 * again. The median of five runs after one that is not counted.
 */
export function fixedLoopMs(): number {
  fixedLoop();
  return median(
    Array.from({ length: loopRuns }, () => {
      const beganMs = performance.now();
      fixedLoop();
      return performance.now() - beganMs;
    }),
  );
}

function fixedLoop(): void {
  const items = Array.from({ length: loopItems }, (_, n) => ({
    key: `k${(n * 7919) % loopItems}`,
  }));
  items.sort((a, b) => (a.key < b.key ? -1 : 1));
  JSON.parse(JSON.stringify(items));
}

/** Milliseconds that each append of 4 KiB with fdatasync takes in this folder, for `forMs`. At least one. */
export function bareWritesMs(folder: string, forMs: number): number[] {
  const file = join(folder, `bare-${process.pid}`);
  const bytes = Buffer.alloc(recordBytes, 1);
  const handle = openSync(file, "w");
  const tookMs: number[] = [];
  const endMs = performance.now() + forMs;
  try {
    do {
      const beganMs = performance.now();
      writeSync(handle, bytes);
      fdatasyncSync(handle);
      tookMs.push(performance.now() - beganMs);
    } while (performance.now() < endMs);
  } finally {
    closeSync(handle);
    rmSync(file);
  }
  return tookMs;
}

/** The middle of the values. NaN where there are none. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
