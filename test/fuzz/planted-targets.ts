/** Planted: decoders with a fault each, to prove that faults are found. */
import { GamError } from "@gam/core";
import type { Target } from "./target.ts";

const seeds = [Buffer.from("planted")];
const base = { group: "strangers", form: "bytes", seeds } as const;
/** Triggers the fault. False for most inputs. */
const isBad = (input: Uint8Array): boolean => input.length > 3 && (input[2] ?? 0) > 0xf0;

function spin(ms: number): void {
  const now = () => process.threadCpuUsage?.() ?? process.cpuUsage();
  const { user } = now();
  while ((now().user - user) / 1000 < ms);
}

export function plantedTargets(): readonly Target[] {
  let kept = new Uint8Array();
  return [
    {
      ...base,
      name: "throws",
      take: (input) => {
        if (input.length === 0) throw new GamError("BAD_FRAME", "nothing in it");
        if (isBad(input)) throw new TypeError("planted");
        return true;
      },
    },
    {
      ...base,
      name: "throws-later",
      take: (input) => {
        if (isBad(input)) queueMicrotask(() => JSON.parse("{"));
        return true;
      },
    },
    {
      ...base,
      name: "rejects-later",
      take: async (input) => {
        if (isBad(input)) void Promise.reject(new Error("planted"));
        return true;
      },
    },
    {
      ...base,
      name: "hangs",
      take: (input) => {
        while (isBad(input));
        return true;
      },
    },
    {
      ...base,
      name: "is-slow",
      take: (input) => {
        if (isBad(input)) spin(150);
        return true;
      },
    },
    {
      ...base,
      name: "is-large",
      take: (input) => {
        if (isBad(input)) kept = new Uint8Array(100 * 2 ** 20);
        return kept.length >= 0;
      },
    },
    {
      ...base,
      name: "eats-all",
      take: (input) => {
        const all: unknown[] = [];
        while (isBad(input)) all.push(new Array(100_000).fill(all.length));
        return true;
      },
    },
  ];
}
