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
  /** What the user types; absent without a terminal. */
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
    pause: () => Promise.resolve(),
    onInterrupt: () => () => undefined,
    nowMs: () => nowMs,
    print: (line) => printed.push(line),
    complain: (line) => complained.push(line),
    ...(typed !== undefined && { ask: async () => typed }),
  });
  const posts = ({ call }: Heard): boolean => call.startsWith("POST");
  const posted = agent.heard.filter(posts).map(({ body }) => body);
  return { exit, printed: printed.join("\n"), complained: complained.join("\n"), posted };
}

test("gam recover without a terminal shows the report and changes nothing", async (t) => {
  const { exit, printed, complained, posted } = await gam(t, []);
  assert.deepEqual([exit, posted], [0, []]);
  assert.equal(complained, 'Nothing was done. To recover, run "gam recover --yes"');
  assert.equal(
    printed,
    [
      "State with which this host would continue alone, as life 2 of the cluster:",
      "",
      "leader    lost 3 minutes ago",
      "state     last changed 3 minutes ago, 2030-01-01 11:56:40 UTC",
      "log       entries up to 1234; 2 of them were perhaps never acknowledged, and are kept",
      "services  2: shop_api, shop_web",
      "tasks     20",
      "",
      "HOSTNAME  VOTES  ANSWERS  LOG     TASKS",
      "host1 *   yes    yes      1234    8",
      "host2     no     yes      life 2  4",
      "host3     yes    no       -       8",
      "",
      "Not answering: host3. Their log entries after 1234 will be lost.",
      "Their tasks start on other hosts. A host that comes back drops its log and is a member again;",
      "those of its containers that were replaced are removed. If these hosts still run and are only cut off",
      "from this one, they lose everything that they write until they reach this host.",
      "Containers on hosts that answer keep running.",
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
  ["recovers without a question", ["--yes"], {}, 0, [{ force: false }], /^$/],
  ["recovers when the word is typed", [], { typed: "recover\n" }, 0, [{ force: false }], /^$/],
  ["does nothing for another word", [], { typed: "yes" }, 1, [], /Nothing was done/],
  ["does nothing for no word", [], { typed: "" }, 1, [], /Nothing was done/],
  [
    "does nothing when the agent refuses, whatever the options",
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
    /To recover in spite of the doubts, run "gam recover --force"/,
  ],
  [
    "recovers in doubt when it is forced",
    ["--yes", "--force"],
    { report: { doubts: ["host2 has more of the log"] } },
    0,
    [{ force: true }],
    /^$/,
  ],
  [
    "does not take --force for a confirmation",
    ["--force"],
    {},
    0,
    [],
    /To recover, run "gam recover --yes --force"/,
  ],
  [
    "shows the agent's refusal",
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

test("gam recover shows the refusal, the doubts and the skipped entries", async (t) => {
  const skipped = [1, 2, 3, 4].map((index) => ({ index, reason: "Invalid time value" }));
  const told = { report: { refusal: "wait", doubts: ["host2 has more"], skipped, services: [] } };
  const { printed } = await gam(t, [], told);
  assert.match(printed, /^Cannot recover now: wait$/m);
  assert.match(printed, /^Doubt: host2 has more$/m);
  assert.match(
    printed,
    /^skipped {3}entries that cannot be applied: 1 \(Invalid time value\), 2 .* and 1 more$/m,
  );
  assert.match(printed, /^services {2}0$/m);
});

test("gam recover --json is the agent's answer", async (t) => {
  const { printed, posted } = await gam(t, ["--json"]);
  assert.deepEqual(JSON.parse(printed), report);
  assert.deepEqual(posted, []);
});
