/**
 * Bare: what this machine does without gam. Calibration and benches compare with it.
 */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

const recordBytes = 4096;
const loopItems = 20_000;
const loopRuns = 5;

/**
 * Milliseconds of a fixed loop of JavaScript, which makes objects, sorts them, writes them as JSON and reads them
 * again. The median of five runs, after a warm-up.
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

/** Milliseconds of each append of 4 KiB with fdatasync in this folder, repeated for `forMs`. At least one. */
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

/** The median of the values. NaN without values. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
