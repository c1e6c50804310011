/**
 * What scripts/test, scripts/try and scripts/lab refuse, and how scripts/test counts and ends.
 *
 * scripts/test runs here in a small tree, with tests of a few lines. Programs that install something are
 * stubs that record their name.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { keepLogs } from "../lab/clusters/keep-logs.ts";
import { readLabCommand, UsageError } from "../lab/lab-command.ts";

const checkout = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "gam-scripts-"));
after(() => rmSync(folder, { recursive: true }));

const installers = ["apt-get", "npm"];
/** Reports every package as installed. */
const dpkgQuery = "#!/bin/sh\necho install ok installed\n";
const noting = '#!/bin/sh\necho "$(basename "$0") $*" >>"$GAM_STARTED"\n';

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  /** The stubs that were started, a line each. */
  readonly started: string;
}

interface Started {
  readonly child: ChildProcess;
  /** Resolves with the match as soon as the output so far matches. */
  readonly printed: (pattern: RegExp) => Promise<RegExpExecArray>;
  readonly ended: Promise<Ended>;
}

let count = 0;

/** Starts a script that finds the stubs before all other programs. */
function start(
  script: string,
  args: readonly string[],
  { stubs = {}, env = {} }: { stubs?: Record<string, string>; env?: NodeJS.ProcessEnv } = {},
): Started {
  count += 1;
  const bin = join(folder, `bin-${count}`);
  const note = join(folder, `started-${count}`);
  mkdirSync(bin);
  const all = {
    "dpkg-query": dpkgQuery,
    ...Object.fromEntries(installers.map((n) => [n, noting])),
  };
  for (const [name, text] of Object.entries({ ...all, ...stubs })) {
    writeFileSync(join(bin, name), text, { mode: 0o755 });
  }
  const child = spawn(script, args, {
    env: {
      ...process.env,
      // If it is set, Node's runner refuses to run inside another runner's test.
      NODE_TEST_CONTEXT: undefined,
      GAM_SEEDS: undefined,
      PATH: `${bin}:${dirname(process.execPath)}:${process.env.PATH}`,
      GAM_STARTED: note,
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, err] = ["", ""];
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      const started = existsSync(note) ? readFileSync(note, "utf8") : "";
      resolve({ code, out, err, started });
    });
  });
  const printed = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = pattern.exec(out);
        if (found !== null) resolve(found);
      };
      child.stdout.on("data", look);
      child.on("close", () => reject(new Error(`ended without ${pattern}:\n${out}\n${err}`)));
      look();
    });
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  return { child, printed, ended };
}

/** Records what a script starts besides the shell's own tools, including Node. */
const watched = { stubs: { node: noting, docker: noting, timeout: noting, mktemp: noting } };

describe("wrong words", { concurrency: true }, () => {
  const parts = "parts are check, unit, sim, clients, lab, foreign";
  const refusals: readonly (readonly [string, readonly string[], string])[] = [
    ["test", ["--frob"], 'unknown option "--frob"; scripts/test --help shows the options'],
    ["test", ["--quick=1"], 'unknown option "--quick=1"; scripts/test --help shows the options'],
    ["test", ["lab"], 'unexpected word "lab"; a part needs --only before it, scripts/test --help'],
    ["test", ["--only"], `--only wants a part; ${parts}`],
    ["test", ["--only="], `unknown part ""; ${parts}`],
    ["test", ["--only", "foo"], `unknown part "foo"; ${parts}`],
    ["test", ["--only=unit", "--only", "check unit"], `unknown part "check unit"; ${parts}`],
    ["test", ["--quick", "--only", "lab"], "--quick leaves out lab, and --only lab asks for it"],
    [
      "test",
      ["--quick", "--only", "foreign"],
      "--quick leaves out foreign, and --only foreign asks for it",
    ],
    ["try", ["--frob"], 'unknown option "--frob"; scripts/try --help shows the options'],
    ["try", ["stray"], 'unexpected word "stray"; scripts/try --help shows the options'],
    ["try", ["--lab"], "--lab wants a number; scripts/try --help shows the options"],
    ["try", ["--lab", "abc"], '--lab wants a whole number from 1 to 250, found "abc"'],
    ["try", ["--lab", "0"], '--lab wants a whole number from 1 to 250, found "0"'],
    ["try", ["--lab=251"], '--lab wants a whole number from 1 to 250, found "251"'],
    ["try", ["--lab", "99999999999999999999"], "--lab wants a whole number from 1 to 250"],
    ["try", ["--hosts", "2"], '--hosts wants a whole number from 3 to 9, found "2"'],
    ["try", ["--hosts=10"], '--hosts wants a whole number from 3 to 9, found "10"'],
    ["try", ["--keep", "--hosts", "x"], '--hosts wants a whole number from 3 to 9, found "x"'],
    ["lab", ["frob"], 'unknown verb "frob"; scripts/lab help lists the verbs'],
    ["lab", ["--lab", "7", "frob", "1"], 'unknown verb "frob"; scripts/lab help lists the verbs'],
  ];
  for (const [script, args, message] of refusals) {
    test(`scripts/${script} ${args.join(" ")} is refused before anything starts`, async () => {
      const { ended } = start(join(checkout, "scripts", script), args, watched);
      const { code, out, err, started } = await ended;
      assert.equal(started, "");
      assert.equal(code, 2, err);
      assert.equal(out, "");
      assert.match(err, /^[^\n]+\n$/);
      assert.ok(err.startsWith(`scripts/${script}: ${message}`), err);
    });
  }

  test("GAM_SEEDS has to be a number", async () => {
    const env = { GAM_SEEDS: "many" };
    const { ended } = start(join(checkout, "scripts/test"), [], { ...watched, env });
    const { code, err, started } = await ended;
    assert.deepEqual([code, started], [2, ""]);
    assert.match(
      err,
      /^scripts\/test: GAM_SEEDS wants a whole number from 1 to \d+, found "many"\n$/,
    );
  });

  for (const script of ["test", "try"]) {
    test(`scripts/${script} --help starts nothing`, async () => {
      const { ended } = start(join(checkout, "scripts", script), ["--help"], watched);
      const { code, out, err, started } = await ended;
      assert.deepEqual([code, err, started], [0, "", ""]);
      assert.ok(out.startsWith(`scripts/${script} [--`), out);
    });
  }

  test("scripts/lab exits with 2 when its program finds wrong arguments", async () => {
    const { code, err } = await start(join(checkout, "scripts/lab"), ["kill", "x"]).ended;
    assert.equal(code, 2);
    assert.match(err, /^scripts\/lab: kill wants a host, .* found "x"; .*\n$/);
  });
});

test("scripts/lab and its program know the same verbs", () => {
  const script = readFileSync(join(checkout, "scripts/lab"), "utf8");
  const verbs = /^verbs="(.*)"$/m.exec(script)?.[1]?.split(" ") ?? [];
  assert.ok(verbs.length > 1);
  const unknown = (verb: string): boolean => {
    try {
      readLabCommand([verb]);
      return false;
    } catch (thrown) {
      assert.ok(thrown instanceof UsageError);
      return thrown.message.startsWith("unknown verb");
    }
  };
  assert.deepEqual(verbs.filter(unknown), []);
  const source = readFileSync(join(checkout, "test/lab/lab-command.ts"), "utf8");
  const cases = [...source.matchAll(/case "(\w+)":/g)].map(([, verb]) => verb);
  assert.deepEqual([...verbs].sort(), cases.sort());
});

const rightWords: readonly (readonly [string, object])[] = [
  ["", { verb: "help", lab: 7 }],
  ["kill --help", { verb: "help", lab: 7 }],
  ["up", { verb: "up", lab: 7, hosts: 3, minutes: 240, agents: false, measure: true }],
  [
    "--lab 250 up --hosts=50 --for 10080 --agents --unmeasured",
    { verb: "up", lab: 250, hosts: 50, minutes: 10_080, agents: true, measure: false },
  ],
  ["kill host2", { verb: "kill", lab: 7, host: 2 }],
  ["heal all", { verb: "heal", lab: 7, host: "all" }],
  ["split 1,2 3", { verb: "split", lab: 7, groups: [[1, 2], [3]] }],
  ["loss 0.5", { verb: "loss", lab: 7, percent: 0.5, host: undefined }],
  ["loss 100 3", { verb: "loss", lab: 7, percent: 100, host: 3 }],
  ["exec --lab 9 1 ls --lab", { verb: "exec", lab: 9, host: 1, words: ["ls", "--lab"] }],
  ["--lab=9 gam 2 kill x", { verb: "gam", lab: 9, host: 2, words: ["kill", "x"] }],
  ["docker 1 --engine ps", { verb: "docker", lab: 7, host: 1, engine: true, words: ["ps"] }],
];
for (const [words, command] of rightWords) {
  test(`scripts/lab accepts "${words}"`, () => {
    assert.deepEqual(readLabCommand(words.split(" ").filter((word) => word !== "")), command);
  });
}

const wrongWords: readonly (readonly [string, RegExp])[] = [
  ["frob", /^unknown verb "frob"/],
  ["--lab abc status", /^--lab wants .* found "abc"/],
  ["--lab 0 down", /^--lab wants .* from 1 to 250, found "0"/],
  ["--lab 251 down", /found "251"/],
  ["status --lab", /^--lab wants .* found ""/],
  ["status --frob", /^unknown option "--frob"/],
  ["status now", /^unexpected word "now" after "status"/],
  ["status --hosts 3", /^--hosts is an option of "up", not of "status"/],
  ["up --hosts 51", /^--hosts wants .* from 1 to 50, found "51"/],
  ["up --hosts 1.5", /found "1.5"/],
  ["up --for 0", /^--for wants .* found "0"/],
  ["up --agents=no", /^--agents takes no value, found "no"/],
  ["kill", /^kill wants a host;/],
  ["kill host", /^kill wants a host, .* found "host"/],
  ["kill 0", /found "0"/],
  ["kill 51", /found "51"/],
  ["kill 1 2", /^unexpected word "2" after "kill"/],
  ["heal some", /^heal wants a host, .* found "some"/],
  ["split", /^split wants groups/],
  ["split 1,,2", /^split wants a host, .* found ""/],
  ["loss", /^loss wants a percentage/],
  ["loss 101", /^loss wants a percentage .* found "101"/],
  ["loss 5 x", /^loss wants a host, .* found "x"/],
  ["exec 1", /^exec wants a command/],
  ["gam x status", /^gam wants a host, .* found "x"/],
];
for (const [words, message] of wrongWords) {
  test(`scripts/lab refuses "${words}"`, () => {
    assert.throws(() => readLabCommand(words.split(" ")), { name: "UsageError", message });
  });
}

/** A tree with scripts/test, in which every part passes. */
function makeTree(changed: Readonly<Record<string, string>> = {}): string {
  const root = mkdtempSync(join(folder, "tree-"));
  for (const path of [
    "scripts/test",
    "scripts/env",
    "scripts/run",
    "scripts/options",
    "test/count-reporter.ts",
  ]) {
    cpSync(join(checkout, path), join(root, path));
  }
  const passing = 'import { test } from "node:test";\ntest("passes", () => undefined);\n';
  const files = {
    "package.json": '{ "type": "module" }',
    "package-lock.json": "{}",
    "node_modules/.gam-lock": "{}",
    "packages/core/src/core.test.ts": passing,
    "packages/sim/src/main.ts": 'console.log("simulated", process.argv.slice(2).join(" "));\n',
    "test/repo/repo.test.ts": passing,
    "test/clients/clients.test.ts": passing,
    "test/lab/lab.test.ts": passing,
    "test/clients/foreign/foreign.test.ts": passing,
    ...changed,
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

function last(lines: number, text: string): string {
  return text
    .trimEnd()
    .split("\n")
    .slice(-lines)
    .map((line) => line.replace(/ +\d+ s +/, " "))
    .join("\n");
}

describe("scripts/test in a small tree", { concurrency: true }, () => {
  test("everything passes", async () => {
    const { code, out, started } = await start(join(makeTree(), "scripts/test"), []).ended;
    assert.equal(code, 0, out);
    assert.equal(started, "npm run --silent check\n");
    assert.match(out, /^simulated --seeds 1000$/m);
    const table = [
      "check 1 passed, 0 failed, 0 skipped",
      "unit 2 passed, 0 failed, 0 skipped",
      "sim 1 passed, 0 failed, 0 skipped",
      "clients 1 passed, 0 failed, 0 skipped",
      "lab 1 passed, 0 failed, 0 skipped",
      "foreign 1 passed, 0 failed, 0 skipped",
      "7 passed, 0 failed, 0 skipped",
    ];
    assert.equal(last(7, out), table.join("\n"));
  });

  test("only the chosen parts run, in their order", async () => {
    const args = ["--only", "clients", "--only=sim", "--quick"];
    const { code, out, started } = await start(join(makeTree(), "scripts/test"), args).ended;
    assert.deepEqual([code, started], [0, ""]);
    assert.match(out, /^simulated --seeds 50$/m);
    const table = ["sim 1 passed, 0 failed, 0 skipped", "clients 1 passed, 0 failed, 0 skipped"];
    assert.equal(last(4, out), ["", ...table, "2 passed, 0 failed, 0 skipped"].join("\n"));
  });

  test("a failed part does not stop others, and each test counts once", async () => {
    const tree = makeTree({
      "packages/core/src/core.test.ts": `import { before, describe, test } from "node:test";
        const fails = () => { throw new Error("planted"); };
        test("passes", () => undefined);
        test("skipped", { skip: "for a reason" }, fails);
        test("skips itself", (t) => t.skip("not measured"));
        test("parent", async (t) => { await t.test("passes", () => undefined); await t.test("fails", fails); });
        test("parent that fails itself", async (t) => { await t.test("passes", () => undefined); fails(); });
        describe("skipped as a whole", { skip: "needs root" }, () => { test("a", fails); test("b", fails); });
        describe("bad before", () => { before(fails); test("a", () => undefined); test("b", () => undefined); });
        describe("passes", () => { test("a", () => undefined); });
      `,
      "packages/core/src/broken.test.ts": 'throw new Error("planted");\n',
      "packages/core/src/empty.test.ts": "export {};\n",
      "packages/sim/src/main.ts": "process.exitCode = 1;\n",
    });
    const args = ["--only=unit", "--only=sim", "--only=clients"];
    const { code, out } = await start(join(tree, "scripts/test"), args).ended;
    assert.equal(code, 1);
    const table = [
      "Skipped:",
      "  skipped: for a reason",
      "  skips itself: not measured",
      "  skipped as a whole: needs root",
      "",
      "unit 5 passed, 5 failed, 3 skipped",
      "sim 0 passed, 1 failed, 0 skipped",
      "clients 1 passed, 0 failed, 0 skipped",
      "6 passed, 6 failed, 3 skipped",
    ];
    assert.equal(last(table.length, out), table.join("\n"));
  });

  test("a part without a test fails, and so does one whose runner is killed", async () => {
    const tree = makeTree({
      "test/clients/clients.test.ts": "export {};\n",
      "test/lab/lab.test.ts": 'process.kill(process.ppid, "SIGKILL");\n',
    });
    const args = ["--only=clients", "--only=lab"];
    const { code, out } = await start(join(tree, "scripts/test"), args).ended;
    assert.equal(code, 1);
    const table = [
      "clients 0 passed, 1 failed, 0 skipped, no test ran",
      "lab 0 passed, 1 failed, 0 skipped",
      "0 passed, 2 failed, 0 skipped",
    ];
    assert.equal(last(3, out), table.join("\n"));
  });

  test("a part that hangs is ended, reported and counted as failed", async () => {
    const tree = makeTree({
      "packages/sim/src/main.ts": "setInterval(() => undefined, 1000);\n",
    });
    // A short timeout here, and a clock that reports its minutes as over.
    const timeout = `#!/bin/sh\nexec "${which("timeout")}" --kill-after=5 0.3 "$3" "$4" "$5" "$6"\n`;
    const test = readFileSync(join(tree, "scripts/test"), "utf8");
    writeFileSync(join(tree, "scripts/test"), test.replace("minutes * 60", "0"));
    const run = start(join(tree, "scripts/test"), ["--only=sim"], { stubs: { timeout } });
    const { code, out } = await run.ended;
    assert.equal(code, 1);
    const minutes = /^part sim .* (\d+) node/m.exec(test)?.[1];
    const line = "0 passed, 1 failed, 0 skipped";
    assert.equal(last(2, out), `sim ${line}, ended after ${minutes} minutes: it hangs\n${line}`);
  });

  test("the logs of a lab's hosts are kept when its part fails, and only then", async () => {
    const keeping =
      'import fs from "node:fs"; fs.mkdirSync(process.env.GAM_LAB_LOGS + "/lab-41");\n';
    const passing = `${keeping}import { test } from "node:test"; test("a", () => undefined);\n`;
    const ran = async (text: string): Promise<{ named: string | undefined; out: string }> => {
      const tree = makeTree({ "test/lab/lab.test.ts": text });
      const { out } = await start(join(tree, "scripts/test"), ["--only=lab"]).ended;
      return { named: /^Logs of the lab's hosts: (.*)$/m.exec(out)?.[1], out };
    };
    const { named = "", out } = await ran(`${keeping}throw new Error("planted");\n`);
    assert.match(named, /^\/tmp\/gam-test-\w+\/logs$/, out);
    assert.deepEqual(readdirSync(dirname(named)), ["logs"]);
    assert.deepEqual(readdirSync(named), ["lab-41"]);
    rmSync(dirname(named), { recursive: true });
    assert.equal((await ran(passing)).named, undefined);
    assert.equal((await ran('throw new Error("planted");\n')).named, undefined, "there are none");
  });

  // The first child is in its part's process group. The second one left it and ignores TERM, which costs 5 s.
  const parent = `import { spawn } from "node:child_process";
    import { mkdtempSync } from "node:fs";
    import { tmpdir } from "node:os";
    mkdtempSync(tmpdir() + "/left-");
    const first = spawn("sleep", ["1000"], { stdio: "ignore" });
    const words = ["-c", "trap '' TERM; echo; while :; do sleep 1000; done"];
    const second = spawn("sh", words, { detached: words[1].startsWith("trap") });
    const say = () => console.log("started", process.pid, first.pid, second.pid, process.env.GAM_TEST_RUN);
    second.stdout.once("data", say);
  `;
  for (const [name, code, isDeaf] of [
    ["SIGTERM", 143, true],
    ["SIGINT", 130, false],
    ["SIGHUP", 129, false],
  ] as const) {
    test(`${name} leaves no process and no folder`, async () => {
      const source = isDeaf ? parent : parent.replace("trap '' TERM; ", "");
      const tree = makeTree({ "packages/sim/src/main.ts": source });
      const run = start(join(tree, "scripts/test"), ["--only=sim"]);
      const [, ids = "", own = ""] = await run.printed(/^started ([\d ]+) (\/tmp\/gam-test-\w+)$/m);
      assert.ok(existsSync(own));
      // Not the end of its output, which a surviving process would delay.
      const exit = once(run.child, "exit");
      run.child.kill(name);
      const [found] = await exit;
      const left = ids.split(" ").filter(isAlive);
      for (const id of left) process.kill(Number(id), "SIGKILL");
      assert.deepEqual(left, []);
      assert.equal(found, code);
      assert.equal(existsSync(own), false);
      assert.equal((await run.ended).err, "");
    });
  }
});

test("keepLogs() moves the logs of each host, and separates labs of one number", () => {
  const kept = mkdtempSync(join(folder, "kept-"));
  const lab = { folder: join(folder, "lab"), number: 41 };
  const makeLab = (): void => {
    for (const host of ["host1", "host2"]) {
      mkdirSync(join(lab.folder, host, "logs"), { recursive: true });
      writeFileSync(join(lab.folder, host, "logs", "agent.log"), host);
    }
    mkdirSync(join(lab.folder, "image"));
  };
  keepLogs(lab, kept);
  assert.deepEqual(readdirSync(kept), [], "the lab is not up");
  makeLab();
  keepLogs(lab, undefined);
  keepLogs(lab, join(kept, "removed"));
  assert.deepEqual(readdirSync(kept), []);
  keepLogs(lab, kept);
  rmSync(lab.folder, { recursive: true });
  makeLab();
  keepLogs(lab, kept);
  assert.deepEqual(readdirSync(kept).sort(), ["lab-41", "lab-41-2"]);
  assert.deepEqual(readdirSync(join(kept, "lab-41-2")), ["host1", "host2"]);
  assert.equal(readFileSync(join(kept, "lab-41/host2/agent.log"), "utf8"), "host2");
  assert.equal(existsSync(join(lab.folder, "host1/logs")), false);
});

function which(program: string): string {
  const found = (process.env.PATH ?? "")
    .split(":")
    .map((path) => join(path, program))
    .find((path) => existsSync(path));
  assert.ok(found !== undefined, `${program} is not on PATH`);
  return found;
}

/** Whether the process runs. False for a zombie. */
function isAlive(id: string): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${id}/status`, "utf8"));
  } catch {
    return false;
  }
}
