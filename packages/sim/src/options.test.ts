import assert from "node:assert/strict";
import { test } from "node:test";
import { commandFor, readCommand, type SimCommand } from "./options.ts";

const run = { fault: undefined, stormMs: 30_000 } as const;
const all = { fromMs: undefined, only: undefined, hosts: undefined };
const fault = "disk: says durable when it is not";

const right: readonly { words: readonly string[]; want: SimCommand }[] = [
  { words: [], want: { kind: "many", seeds: 100, ...run } },
  { words: ["--help"], want: { kind: "help" } },
  {
    words: ["--seeds", "50", "--storm=60"],
    want: { kind: "many", seeds: 50, ...run, stormMs: 60_000 },
  },
  { words: ["--seeds=5", "--fault", fault], want: { kind: "many", seeds: 5, ...run, fault } },
  { words: ["--seed", "7"], want: { kind: "one", seed: 7, filter: all, ...run } },
  {
    words: ["--seed", "7", "--only", "web,mishaps", "--from", "25s", "--hosts", "host5"],
    want: {
      kind: "one",
      seed: 7,
      filter: { fromMs: 25_000, only: ["web", "mishaps"], hosts: ["host5"] },
      ...run,
    },
  },
  {
    words: ["--seed", "7", "--from=1.5s"],
    want: { kind: "one", seed: 7, filter: { ...all, fromMs: 1500 }, ...run },
  },
  {
    words: ["--seed", "7", "--from", "250ms"],
    want: { kind: "one", seed: 7, filter: { ...all, fromMs: 250 }, ...run },
  },
];
for (const { words, want } of right) {
  test(`sim accepts "${words.join(" ")}"`, () => assert.deepEqual(readCommand(words), want));
}

const wrong: readonly (readonly [readonly string[], string])[] = [
  [["--frob"], 'unknown option "--frob"'],
  [["--frob=1"], 'unknown option "--frob"'],
  [["-x"], 'unknown option "-x"'],
  [["7"], 'unexpected word "7"'],
  [["--help=me"], '--help takes no value, found "me"'],
  [["--seed"], "--seed wants a value"],
  [["--seed", "0"], '--seed wants a whole number from 1 to 2147483647, found "0"'],
  [["--seed", "x"], '--seed wants a whole number from 1 to 2147483647, found "x"'],
  [["--seeds", "1.5"], '--seeds wants a whole number from 1 to 1000000, found "1.5"'],
  [["--storm", "-1"], '--storm wants a whole number from 1 to 86400, found "-1"'],
  [
    ["--seed", "1", "--seeds", "2"],
    "--seed runs one history and --seeds runs many: leave out one of them",
  ],
  [["--only", "web"], "--only needs --seed: it filters the lines of one history"],
  [["--seeds", "9", "--from", "1s"], "--from needs --seed: it filters the lines of one history"],
  [["--seed", "1", "--from", "25"], '--from wants a time such as 25s or 1500ms, found "25"'],
  [["--seed", "1", "--from", "soon"], '--from wants a time such as 25s or 1500ms, found "soon"'],
  [["--seed", "1", "--hosts", "web"], '--hosts wants hosts such as host1,host5, found "web"'],
  [["--seed", "1", "--hosts", "host1,"], '--hosts wants hosts such as host1,host5, found "host1,"'],
  [["--seed", "1", "--only", ""], '--only wants names such as web,mishaps, found ""'],
];
for (const [words, message] of wrong) {
  test(`sim refuses "${words.join(" ")}"`, () => {
    assert.throws(() => readCommand(words), { name: "UsageError", message });
  });
}

test("sim lists the known faults when it gets an unknown one", () => {
  const refusal = {
    name: "UsageError",
    message: /^--fault wants one of[\s\S]*disk: says[\s\S]*\nfound "x"$/,
  };
  assert.throws(() => readCommand(["--fault", "x"]), refusal);
});

test("the command for a seed runs the same again", () => {
  const run = { fault, stormMs: 60_000 } as const;
  assert.equal(commandFor(7, run), `npm run sim -- --seed 7 --fault "${fault}" --storm 60`);
  assert.equal(commandFor(7, { fault: undefined, stormMs: 30_000 }), "npm run sim -- --seed 7");
});
