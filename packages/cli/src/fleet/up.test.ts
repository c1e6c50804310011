import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { run } from "../program.ts";
import { aNodeSummary, aStatus, nodeIdOf } from "../testing/a-status.ts";
import { fakeAgent, type Heard, type Script } from "../testing/fake-agent.ts";

/**
 * An ssh that runs the line here: `gam` and `uname` are programs of the test, with a folder for each host.
 * host4 does not answer.
 */
const ssh = `#!/bin/sh
while [ "$1" != -- ]; do shift; done
host=$2 line=$3
[ "$host" != root@host4 ] || { echo "ssh: connect to host host4 port 22: Connection refused" >&2; exit 255; }
HERE="$HOSTS/$host"
export HERE
mkdir -p "$HERE/tmp"
TMPDIR="$HERE/tmp" PATH="$HOSTS/bin:$PATH" exec sh -c "$line"
`;
/** Says what the host's folder has. The token is kept. */
const gam = `#!/bin/sh
case "$1" in
  --version) [ -e "$HERE/installed" ] || exit 127; echo 0.1.0 ;;
  status) cat "$HERE/status" ;;
  join) [ "$2" = - ] || exit 2; cat >"$HERE/token"; sed 's/inactive/active/' "$HERE/inactive" >"$HERE/status" ;;
esac
`;
/** Keeps what it was called with. */
const installer =
  'echo "$2 $3" >"$HERE/installed"; cmp -s "$1" "$HOSTS/gam_0.1.0_amd64.deb" || exit 9\n';

interface World {
  readonly folder: string;
  readonly gam: (
    ...words: string[]
  ) => Promise<{ exit: number; printed: string; complained: string }>;
  readonly heard: readonly Heard[];
}

async function world(t: TestContext, script: Script = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "gam-up-"));
  const program = (name: string, text: string): void => {
    writeFileSync(join(folder, name), text, { mode: 0o755 });
  };
  mkdirSync(join(folder, "bin"));
  program("ssh", ssh);
  program("bin/gam", gam);
  program("bin/uname", "#!/bin/sh\necho x86_64\n");
  program("bin/id", "#!/bin/sh\necho 0\n");
  writeFileSync(join(folder, "install.sh"), installer);
  writeFileSync(join(folder, "gam_0.1.0_amd64.deb"), "a package");
  for (const number of [2, 3]) {
    mkdirSync(join(folder, `root@host${number}`));
    const said = { self: nodeIdOf(number), state: "inactive" };
    const text = JSON.stringify(said, undefined, 2);
    writeFileSync(join(folder, `root@host${number}`, "inactive"), text);
  }
  const nodes = [1, 2, 3].map((number) => aNodeSummary(number));
  const agent = await fakeAgent({
    "GET /gam/v1/status": aStatus(nodes, { self: nodeIdOf(1) }),
    "GET /gam/v1/token": { worker: "gam-1-w", manager: "gam-1-m" },
    "GET /gam/v1/doctor": { healthy: true, findings: [], checks: [] },
    ...script,
  });
  t.after(async () => {
    await agent.close();
    rmSync(folder, { recursive: true });
  });
  return {
    folder,
    heard: agent.heard,
    gam: async (...words) => {
      const printed: string[] = [];
      const complained: string[] = [];
      const exit = await run(words, {
        environment: {
          ...{ PATH: process.env.PATH, HOSTS: folder, GAM_SSH: join(folder, "ssh") },
          ...{ GAM_SOCKET: agent.socket, GAM_PACKAGES_DIR: join(folder, "none") },
        },
        cwd: folder,
        isTerminal: false,
        pause: () => Promise.resolve(),
        onInterrupt: () => () => undefined,
        nowMs: () => Date.now(),
        print: (line) => printed.push(line),
        complain: (line) => complained.push(line),
      });
      return { exit, printed: printed.join("\n"), complained: complained.join("\n") };
    },
  };
}

test("gam up without hosts shows the line for the others", async (t) => {
  const { gam } = await world(t);
  const { exit, printed } = await gam("up");
  assert.equal(exit, 0);
  assert.match(printed, /^This host is in a mesh of 3\. To add another host, run on that host:$/m);
  assert.match(printed, /^ {2}gam join gam-1-m$/m);
});

test("gam up installs, joins and waits, and a host that fails does not stop the others", async (t) => {
  const { gam, folder } = await world(t);
  const sha256 = createHash("sha256").update("a package").digest("hex");
  const words = ["up", "--package", "gam_0.1.0_amd64.deb", "--sha256", sha256, "--worker"];
  const { exit, printed, complained } = await gam(
    ...words,
    "root@host2",
    "root@host4",
    "root@host3",
  );
  assert.equal(exit, 1);
  assert.match(complained, /^root@host4: ssh does not get in: ssh: connect to host host4 port 22/m);
  for (const host of ["root@host2", "root@host3"]) {
    assert.match(printed, new RegExp(`^${host}: joining$`, "m"), complained);
    assert.match(printed, new RegExp(`^${host}: installing gam_0.1.0_amd64.deb$`, "m"));
    assert.match(printed, new RegExp(`^${host}: joining$`, "m"));
    assert.match(printed, new RegExp(`^${host}: ready$`, "m"));
    assert.equal(readFileSync(join(folder, host, "token"), "utf8"), "gam-1-w\n");
    assert.equal(readFileSync(join(folder, host, "installed"), "utf8"), `--sha256 ${sha256}\n`);
  }
  // Again, there is nothing left to do.
  const again = await gam(...words, "root@host2");
  assert.equal(again.exit, 0);
  assert.match(again.printed, /^root@host2: is a member already, and ready$/m);
});

test("gam up with a mistake begins no mesh", async (t) => {
  const inactive = aStatus([], { state: "inactive" });
  const { gam, heard } = await world(t, { "GET /gam/v1/status": inactive });
  for (const [words, message] of [
    [["--worker"], /Cannot use --worker, --package or --sha256 without hosts/],
    [["--package", "gam_0.1.0_amd64.deb"], /without hosts/],
    [["--package", "nothing.deb", "root@host2"], /Cannot use nothing\.deb/],
    [["--package", "gam_0.2.0_amd64.deb", "root@host2"], /there is no such file/],
  ] as const) {
    const { exit, complained } = await gam("up", ...words);
    assert.equal(exit, 1);
    assert.match(complained, message);
  }
  assert.deepEqual(
    heard.filter(({ call }) => call.startsWith("POST")),
    [],
  );
});

test("gam up says which package is missing", async (t) => {
  const { gam } = await world(t);
  const { exit, complained } = await gam("up", "root@host2");
  assert.equal(exit, 1);
  assert.match(
    complained,
    /^root@host2: there is no package for it\. Give "--package gam_VERSION_amd64\.deb/m,
  );
});

test("gam join takes the token from standard input or a file", async (t) => {
  const { gam, folder, heard } = await world(t, { "POST /gam/v1/join": {} });
  writeFileSync(join(folder, "token"), "gam-1-secret\n");
  assert.equal((await gam("join", "--token-file", "token", "10.0.0.1:7946")).exit, 0);
  assert.deepEqual(heard.find(({ call }) => call === "POST /gam/v1/join")?.body, {
    token: "gam-1-secret",
    addresses: ["10.0.0.1:7946"],
  });
  const { exit, complained } = await gam("join");
  assert.equal(exit, 2);
  assert.match(complained, /missing required argument 'token'/);
  assert.match(
    (await gam("join", "--token-file", "none")).complained,
    /Cannot read none: there is no such file/,
  );
});
