import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { type TestContext, test } from "node:test";
import type { RecoverReport } from "@gam/state/answers";
import { run } from "../program.ts";
import { nodeIdOf } from "../testing/a-status.ts";
import { fakeAgent, type Heard, refusal } from "../testing/fake-agent.ts";

const nowMs = Date.UTC(2030, 0, 1, 12);
const report: RecoverReport = {
  refusal: "",
  doubts: [],
  life: 1,
  leaderlessMs: 185_000,
  lastIndex: 1234,
  unconfirmed: 2,
  skipped: [],
  writtenAtMs: nowMs - 200_000,
  services: ["shop_web", "shop_api"],
  tasks: 20,
  hosts: [
    {
      id: nodeIdOf(1),
      hostname: "host1",
      isSelf: true,
      votes: true,
      answers: true,
      lastIndex: 1234,
      life: 1,
      tasks: 8,
    },
    {
      id: nodeIdOf(2),
      hostname: "host2",
      isSelf: false,
      votes: false,
      answers: true,
      lastIndex: 99,
      life: 2,
      tasks: 4,
    },
    {
      id: nodeIdOf(3),
      hostname: "host3",
      isSelf: false,
      votes: true,
      answers: false,
      lastIndex: null,
      life: null,
      tasks: 8,
    },
  ],
};

interface Ran {
  readonly exit: number;
  readonly printed: string;
  readonly complained: string;
  readonly posted: readonly unknown[];
}

interface Told {
  readonly report?: object;
  /** What the person types; absent where nobody is there. */
  readonly typed?: string;
  readonly answer?: unknown;
}

async function gam(context: TestContext, args: readonly string[], told: Told = {}): Promise<Ran> {
  const agent = await fakeAgent({
    "GET /gam/v1/recover": { ...report, ...told.report },
    "POST /gam/v1/recover": told.answer ?? {},
  });
  context.after(() => agent.close());
  const printed: string[] = [];
  const complained: string[] = [];
  const { typed } = told;
  const exit = await run(["--socket", agent.socket, "recover", ...args], {
    environment: {},
    cwd: tmpdir(),
    isTerminal: false,
    nowMs: () => nowMs,
    print: (line) => printed.push(line),
    complain: (line) => complained.push(line),
    ...(typed !== undefined && { ask: async () => typed }),
  });
  const posts = ({ call }: Heard): boolean => call.startsWith("POST");
  const posted = agent.heard.filter(posts).map(({ body }) => body);
  return { exit, printed: printed.join("\n"), complained: complained.join("\n"), posted };
}

test("gam recover shows what there is, and does nothing", async (t) => {
  const { exit, printed, complained, posted } = await gam(t, []);
  assert.deepEqual([exit, posted], [0, []]);
  assert.equal(complained, 'Nothing was done: "gam recover --yes" does it');
  assert.equal(
    printed,
    [
      "What this host would go on with alone, in life 2 of the cluster:",
      "",
      "leader    lost 3 minutes ago",
      "state     changed last 3 minutes ago, 2030-01-01 11:56:40 UTC",
      "log       entries up to 1234; 2 of them may not have been acknowledged, and are kept",
      "services  2: shop_api, shop_web",
      "tasks     20",
      "",
      "HOSTNAME  VOTES  ANSWERS  LOG     TASKS",
      "host1 *   yes    yes      1234    8",
      "host2     no     yes      life 2  4",
      "host3     yes    no       -       8",
      "",
      "Not answering: host3. What they have written behind entry 1234",
      "is lost. Their tasks start on other hosts. Should they come back, they drop their logs and are members",
      "again; containers that were replaced by then are removed. If they are not gone but cut off from this host, and",
      "still work together, they lose all that they write until they meet this host.",
      "Containers that run on hosts which answer run on.",
      "",
    ].join("\n"),
  );
});

const cases: readonly (readonly [
  string,
  readonly string[],
  Told,
  number,
  readonly unknown[],
  RegExp,
])[] = [
  ["goes on without a question with --yes", ["--yes"], {}, 0, [{ force: false }], /^$/],
  ["goes on when the word is typed", [], { typed: "recover\n" }, 0, [{ force: false }], /^$/],
  ["does nothing for another word", [], { typed: "yes" }, 1, [], /Nothing was done/],
  ["does nothing for no word", [], { typed: "" }, 1, [], /Nothing was done/],
  [
    "does nothing where it may not, with whatever option",
    ["--yes", "--force"],
    { report: { refusal: "there is a leader" } },
    1,
    [],
    /^$/,
  ],
  [
    "does nothing in doubt",
    ["--yes"],
    { report: { doubts: ["host2 has more of the log"] } },
    1,
    [],
    /"gam recover --force" goes on in spite of the doubts/,
  ],
  [
    "goes on in doubt when it is forced",
    ["--yes", "--force"],
    { report: { doubts: ["host2 has more of the log"] } },
    0,
    [{ force: true }],
    /^$/,
  ],
  [
    "does not take --force for an answer",
    ["--force"],
    {},
    0,
    [],
    /"gam recover --yes --force" does it/,
  ],
  [
    "says what the agent says",
    ["--yes"],
    { answer: refusal(409, "Cannot recover: there is a leader") },
    1,
    [{ force: false }],
    /Cannot recover: there is a leader/,
  ],
];
for (const [name, args, told, exit, posted, complaint] of cases) {
  test(`gam recover ${args.join(" ")} ${name}`, async (t) => {
    const ran = await gam(t, args, told);
    assert.deepEqual([ran.exit, ran.posted], [exit, posted], ran.complained);
    assert.match(ran.complained, complaint);
  });
}

test("gam recover says why not, what is in doubt and what is left out", async (t) => {
  const skipped = [1, 2, 3, 4].map((index) => ({ index, reason: "Invalid time value" }));
  const told = { report: { refusal: "wait", doubts: ["host2 has more"], skipped, services: [] } };
  const { printed } = await gam(t, [], told);
  assert.match(printed, /^Not now: wait$/m);
  assert.match(printed, /^In doubt: host2 has more$/m);
  assert.match(
    printed,
    /^left out {2}entries that cannot be applied: 1 \(Invalid time value\), 2 .* and 1 more$/m,
  );
  assert.match(printed, /^services {2}0$/m);
});

test("gam recover --json is the agent's answer", async (t) => {
  const { printed, posted } = await gam(t, ["--json"]);
  assert.deepEqual(JSON.parse(printed), report);
  assert.deepEqual(posted, []);
});
