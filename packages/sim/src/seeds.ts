/** Seeds: runs several histories and reports the results. */
import { failureStory, messageOf } from "./failure.ts";
import { planted } from "./hosts/faults.ts";
import { commandFor, type SimRun } from "./options.ts";
import { type History, live, liveIn, worldOf } from "./storm.ts";
import { Names } from "./story/names.ts";
import { Teller } from "./story/teller.ts";

/** The seeds from `first` to `last`, each `by`-th of them. */
export interface Seeds extends SimRun {
  readonly first: number;
  readonly last: number;
  readonly by: number;
}

export interface Failed {
  readonly seed: number;
  /** What failed, and the command to run again. */
  readonly lines: readonly string[];
}

export interface Report {
  readonly seeds: number;
  readonly settledMsMax: number;
  readonly entries: number;
  readonly downs: number;
  readonly failed: readonly Failed[];
}

/** Failures reported with their story. The others get only their first and last line. */
export const storiesMax = 3;

export function runSeeds({ first, last, by, ...run }: Seeds): Report {
  let [seeds, settledMsMax, entries, downs] = [0, 0, 0, 0];
  const failed: Failed[] = [];
  for (let seed = first; seed <= last; seed += by) {
    seeds += 1;
    try {
      const history = live(seed, optionsOf(run));
      settledMsMax = Math.max(settledMsMax, history.settledMs);
      entries += history.entries;
      downs += history.downs;
    } catch (thrown) {
      failed.push({
        seed,
        lines: failed.length < storiesMax ? again(seed, run, thrown) : named(seed, run, thrown),
      });
    }
  }
  return { seeds, settledMsMax, entries, downs, failed };
}

/** Lines of its story that are printed with a failure. */
const lastMax = 40;

export type SeedResult =
  | { readonly kind: "passed"; readonly teller: Teller; readonly history: History }
  | {
      readonly kind: "failed";
      readonly teller: Teller;
      readonly thrown: unknown;
      readonly lines: readonly string[];
    };

/** One history with its story. After a failure, `lines` include the last `last` lines of the story. */
export function tellSeed(seed: number, run: SimRun, last: number): SeedResult {
  const teller = new Teller();
  const { planted, stormMs } = optionsOf(run);
  const world = worldOf(seed, { planted, teller });
  try {
    return { kind: "passed", teller, history: liveIn(world, seed, stormMs) };
  } catch (thrown) {
    const command = commandFor(seed, run);
    const lines = failureStory({ seed, world, teller, thrown, lastMax: last, command });
    return { kind: "failed", teller, thrown, lines };
  }
}

/** Runs a failed history once more, with a story: stories are left out of first runs to save time. */
function again(seed: number, run: SimRun, thrown: unknown): readonly string[] {
  const told = tellSeed(seed, run, lastMax);
  if (told.kind === "failed" && String(told.thrown) === String(thrown)) return told.lines;
  const second = told.kind === "passed" ? "passed" : `failed with ${String(told.thrown)}`;
  const [first = "", ...rest] = named(seed, run, thrown);
  return [
    first,
    `a second run ${second}: this seed is not deterministic; find out why first`,
    ...rest,
  ];
}

function named(seed: number, run: SimRun, thrown: unknown): readonly string[] {
  return [
    `seed ${seed} failed: ${new Names().plain(messageOf(thrown))}`,
    `run again with all lines: ${commandFor(seed, run)}`,
  ];
}

function optionsOf({ fault, stormMs }: SimRun) {
  return { planted: fault === undefined ? {} : planted[fault], stormMs };
}
