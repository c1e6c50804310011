import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { run } from "../program.ts";
import { fakeAgent, type Heard, type Script } from "../testing/fake-agent.ts";

const [idA, idB] = ["a", "b"].map((one) => `sha256:${one.repeat(64)}`) as [string, string];

interface Ran {
  readonly exit: number;
  readonly printed: string;
  readonly complained: string;
  readonly heard: readonly Heard[];
}

async function gam(
  t: TestContext,
  words: readonly string[],
  script: Script,
  says?: string,
): Promise<Ran> {
  const agent = await fakeAgent(script);
  t.after(() => agent.close());
  const printed: string[] = [];
  const complained: string[] = [];
  const exit = await run(["image", ...words], {
    environment: { GAM_SOCKET: agent.socket },
    cwd: "/",
    isTerminal: false,
    pause: () => Promise.resolve(),
    onInterrupt: () => () => undefined,
    nowMs: () => 0,
    print: (line) => printed.push(line),
    complain: (line) => complained.push(line),
    ...(says !== undefined && { ask: async () => says }),
  });
  return {
    exit,
    printed: printed.join("\n"),
    complained: complained.join("\n"),
    heard: agent.heard,
  };
}

test("ls shows images by name, with their hosts", async (t) => {
  const images = [
    { id: idB, names: ["shop:1"], hosts: ["host1"] },
    { id: idA, names: [`db@${idB}`], hosts: ["host1", "host2"] },
  ];
  const script = { "GET /gam/v1/images": { images, silent: ["host3"] } };
  const { exit, printed, complained } = await gam(t, ["ls"], script);
  assert.equal(exit, 0);
  assert.equal(
    printed,
    [
      "IMAGE   ID            HOSTS",
      "db      aaaaaaaaaaaa  host1, host2",
      "shop:1  bbbbbbbbbbbb  host1",
    ].join("\n"),
  );
  assert.equal(complained, "Not known yet: the images of host3");
});

test("push says what each host did, and fails when one failed", async (t) => {
  const hosts = [
    { host: "host1", state: "done", bytes: 0, reason: "" },
    { host: "host2", state: "done", bytes: 5_000_000, reason: "" },
    { host: "host3", state: "failed", bytes: 0, reason: "no room" },
  ];
  const script = { "POST /gam/v1/images/push": { id: idA, hosts } };
  const { exit, printed, complained, heard } = await gam(t, ["push", "shop:1", "host2"], script);
  assert.equal(exit, 1);
  assert.equal(printed, "host1: has the image\nhost2: done");
  assert.equal(complained, "host3: failed: no room");
  assert.deepEqual(heard[0]?.body, { image: "shop:1", hosts: ["host2"] });
});

const row = {
  host: "host1",
  images: [{ id: idA, names: [], bytes: 120_000_000 }],
  cacheBytes: 5_000_000,
  problem: "",
};

test("prune shows what it would delete, and deletes after yes", async (t) => {
  const script = { "POST /gam/v1/images/prune": { hosts: [row] } };
  const table = [
    "HOST   IMAGE                          ID            SIZE",
    "host1  <none>                         aaaaaaaaaaaa  120 MB",
    "host1  (layers kept for other hosts)                5.0 MB",
  ].join("\n");
  const asked = await gam(t, ["prune"], script);
  assert.equal(asked.printed, table);
  assert.equal(
    asked.complained,
    'Nothing was deleted. To delete these, run "gam image prune --yes"',
  );
  assert.deepEqual(
    asked.heard.map(({ body }) => body),
    [{ hosts: [], all: false, apply: false }],
  );
  const refused = await gam(t, ["prune"], script, "no");
  assert.equal(refused.exit, 1);
  assert.equal(refused.complained, 'gam: Nothing was deleted: found "no" instead of "yes"');
  const done = await gam(t, ["prune", "--all", "host1"], script, "yes");
  assert.equal(done.exit, 0);
  assert.equal(done.printed, `${table}\nDeleted 125 MB on 1 host`);
  const want = { hosts: ["host1"], all: true };
  assert.deepEqual(
    done.heard.map(({ body }) => body),
    [
      { ...want, apply: false },
      { ...want, apply: true },
    ],
  );
});

test("prune ends with code 1 when a host does not answer", async (t) => {
  const silent = { host: "host2", images: [], cacheBytes: 0, problem: "not connected" };
  const script = { "POST /gam/v1/images/prune": { hosts: [silent] } };
  const { exit, printed, complained } = await gam(t, ["prune"], script);
  assert.deepEqual([exit, printed, complained], [1, "Nothing to delete", "host2: not connected"]);
});
