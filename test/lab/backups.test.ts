/**
 * Backups of volumes on real hosts: consistent under writes, to a file, a folder of another host and a bucket, by a
 * schedule; restored elsewhere and in place, whoever is killed meanwhile.
 *
 * One mesh serves all tests, in order: each begins with the state that the one before leaves. GAM_BACKUP_MIB sets how
 * much the volume has beside what is written.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type BackupList, checkBackupList } from "@gam/state/answers";
import { type Host, Lab, LabError, labUnavailable } from "./clusters/lab.ts";
import { LabMesh } from "./clusters/lab-mesh.ts";
import { mustDocker } from "./clusters/must-docker.ts";

const skip = labUnavailable() ?? false;
const number = 12;
/** Only ends a test that would never end. */
const patienceMs = 300_000;
const mebibytes = Number(process.env.GAM_BACKUP_MIB ?? 48);
const s3Port = 9000;

/**
 * Writes one line to each of two files, again and again. A copy is consistent if both have the same lines. While the
 * file "freeze" is there it writes nothing, and "frozen" says so.
 */
const writer = `
  cd /data; [ -e big ] || dd if=/dev/urandom of=big bs=1048576 count=${mebibytes} 2>/dev/null
  rm -f freeze frozen; n=$(tail -n 1 one 2>/dev/null || echo 0); trap 'exit 0' TERM
  while :; do
    if [ -e freeze ]; then touch frozen; while [ -e freeze ]; do sleep 0.05; done; rm -f frozen; fi
    n=$((n + 1)); echo $n >> one; echo $n >> two
  done`;
const hooks = [
  "gam.backup.pre=touch /data/freeze && until [ -e /data/frozen ]; do sleep 0.05; done",
  "gam.backup.post=rm -f /data/freeze",
];
const check = `cd /data && cmp one two && wc -l < one && sha256sum < big`;

describe("backups of a volume on three hosts", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  let home: Host;
  let other: Host;
  let third: Host;

  before(async () => {
    lab = await Lab.up({ hosts: 3, number, agents: true });
    mesh = await LabMesh.form(lab);
    await serve("db", "data", hooks);
    const { volumes } = await mesh.call<{ volumes: { homes: { host: string }[] }[] }>(
      ...([lab.host(1), "GET", "/gam/v1/volumes"] as const),
    );
    home = lab.hosts.find(({ name }) => name === volumes[0]?.homes[0]?.host) as Host;
    [other, third] = lab.hosts.filter((host) => host !== home) as [Host, Host];
    await mesh.until("something is written", patienceMs, async () => {
      const { code } = await home.docker(["exec", "db.1", "sh", "-c", "[ -s /data/two ]"]);
      return code === 0;
    });
    for (const host of lab.hosts) mkdirSync(host.path("/var/lib/backups"), { recursive: true });
  });
  after(async () => {
    await Lab.down(number);
  });

  test("without the commands around it, a backup under writes fails and says so", async () => {
    await labels("db", { remove: ["gam.backup.pre", "gam.backup.post"] });
    const { code, stderr } = await other.gam([
      "volume",
      "backup",
      "data",
      "-o",
      "/var/lib/backups/no.tar",
    ]);
    assert.equal(code, 1);
    assert.match(stderr, /file changed as we read it|Let the service stop writing/);
    assert.ok(!existsSync(other.path("/var/lib/backups/no.tar")));
    assert.ok(!existsSync(other.path("/var/lib/backups/no.tar.partial")));
    await labels("db", { add: hooks });
  });

  test("a backup under writes, restored on another host, is consistent", async () => {
    const begunMs = performance.now();
    const said = await gam(other, "volume", "backup", "data", "-o", "/var/lib/backups/a.tar");
    console.log(`${said} in ${((performance.now() - begunMs) / 1000).toFixed(1)} s`);
    const plan = await gam(
      other,
      "volume",
      "restore",
      "copy",
      "-i",
      "/var/lib/backups/a.tar",
      "--on",
      third.name,
      "--plan",
    );
    assert.match(plan, new RegExp(`Makes volume copy on ${third.name}`));
    await gam(
      other,
      "volume",
      "restore",
      "copy",
      "-i",
      "/var/lib/backups/a.tar",
      "--on",
      third.name,
      "--yes",
    );
    const lines = await surveyOf(third, "copy");
    const again = await inside(check);
    console.log(
      `restored: ${lines.replaceAll("\n", " ")}; goes on: ${again.replaceAll("\n", " ")}`,
    );
    assert.ok(
      Number(again.split("\n")[0]) > Number(lines.split("\n")[0]),
      "the writer stands still",
    );
    assert.equal(again.split("\n")[1], lines.split("\n")[1]);
    // A service of one replica goes where the restored volume is.
    await serve("reader", "copy", []);
    const place = await mustDocker(lab.host(1), [
      "service",
      "ps",
      "--format",
      "{{.Node}}",
      "reader",
    ]);
    assert.equal(place, third.name);
    await mustDocker(lab.host(1), ["service", "rm", "reader"]);
  });

  test("a schedule makes backups on another host, and keeps two", async () => {
    await labels("db", {
      add: [
        "gam.backup.schedule=*/3 * * * * *",
        `gam.backup.to=${third.name}:/var/lib/backups`,
        "gam.backup.keep=2",
      ],
    });
    await mesh.until("four backups are whole", patienceMs, async () => {
      const { backups } = await listed();
      const whole = backups.filter(({ state, by }) => state === "complete" && by === "schedule");
      const names = new Set(whole.map(({ file }) => file));
      for (const name of names) seen.add(name);
      return seen.size >= 4;
    });
    await labels("db", { remove: ["gam.backup.schedule", "gam.backup.keep"] });
    await settled();
    const { backups, missed } = await listed();
    const files = backups.filter(({ by }) => by === "schedule").map(({ file }) => file);
    const found = readdirSync(third.path("/var/lib/backups"));
    const tars = found.filter((name) => name.startsWith("data-") && name.endsWith(".tar"));
    console.log(`${seen.size} made, ${tars.length} kept, ${missed.length} misses noted`);
    assert.deepEqual(tars.sort(), files.sort());
    assert.equal(tars.length, 2);
  });
  const seen = new Set<string>();

  test("the volume's host loses power while a backup is made: nothing looks whole, and it is made again", async () => {
    await gam(
      other,
      "volume",
      "backup",
      "data",
      "--to",
      `${third.name}:/var/lib/backups`,
      "--detach",
    );
    await home.kill();
    await mesh.until("the host is down", patienceMs, async () => {
      const nodes = await mesh.nodes(other);
      const node = nodes.find(({ Description }) => Description.Hostname === home.name);
      return node?.Status.State === "down";
    });
    for (const name of readdirSync(third.path("/var/lib/backups"))) {
      if (!name.startsWith("data-") || !name.endsWith(".json")) continue;
      const tar = name.replace(/json$/, "tar");
      const manifest = JSON.parse(readFileSync(join(third.path("/var/lib/backups"), name), "utf8"));
      const { stdout } = await third.exec(["sha256sum", `/var/lib/backups/${tar}`]);
      assert.ok(stdout.startsWith(manifest.sha256), `${tar} looks whole and is not`);
    }
    await mesh.powerOn(home);
    await mesh.ready(other, 3, patienceMs);
    await settled();
    const { backups } = await listed();
    assert.equal(backups.at(-1)?.state, "complete", backups.at(-1)?.reason);
  });

  test("the newest backup is restored in place, and its agent is killed meanwhile", async () => {
    await runsAgain();
    const before = (await inside(check)).split("\n");
    const restoring = other.gam(["volume", "restore", "data", "--yes"], { timeoutMs: patienceMs });
    await mesh.until("the data is whole beside the volume", patienceMs, async () => {
      const { volumes } = await mesh.call<{
        volumes: { name: string; restore?: object; lastRestore?: object }[];
      }>(...([other, "GET", "/gam/v1/volumes"] as const));
      const data = volumes.find(({ name }) => name === "data");
      return (data?.restore ?? data?.lastRestore) !== undefined;
    });
    await home.killAgent("SIGKILL");
    await home.startAgent();
    const { code, stderr } = await restoring;
    assert.equal(code, 0, stderr);
    await runsAgain();
    const now = (await inside(check)).split("\n");
    console.log(`before the restore ${before[0]} lines, after it ${now[0]}`);
    assert.equal(now[1], before[1]);
    const left = readdirSync(home.path("/var/lib/docker/volumes/data"));
    assert.deepEqual(left, ["_data"]);
  });

  test("a backup goes to a bucket by a sealed secret, and is restored from there", async () => {
    const script = fileURLToPath(
      new URL("../../packages/agent/src/testing/s3-server.ts", import.meta.url),
    );
    await third.spawn("s3", [process.execPath, script, third.address, String(s3Port)]);
    const env = [
      "AWS_ACCESS_KEY_ID=AKIDEXAMPLE",
      "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
      `AWS_ENDPOINT_URL=http://${third.address}:${s3Port}`,
    ].join("\n");
    await mustDocker(other, ["secret", "create", "s3", "-"], { input: env });
    const to = ["--to", "s3://backups/shop", "--secret", "s3"];
    const said = await gam(other, "volume", "backup", "data", ...to);
    console.log(said.split("\n").at(-1));
    await gam(
      other,
      "volume",
      "restore",
      "second",
      "--backup",
      await newest(),
      "--on",
      other.name,
      "--yes",
    );
    await surveyOf(other, "second");
    const { stdout } = await home.exec([
      "sh",
      "-c",
      "grep -l [w]JalrXUtnFEMI /proc/[0-9]*/cmdline || true",
    ]);
    assert.equal(stdout.trim(), "", "the key is in a command line");
  });

  async function newest(): Promise<string> {
    return (await listed()).backups.at(-1)?.id ?? "";
  }

  async function serve(name: string, volume: string, with_: readonly string[]): Promise<void> {
    const mount = ["--mount", `type=volume,source=${volume},target=/data`];
    const labelled = with_.flatMap((one) => ["--label", one]);
    const script = name === "db" ? writer : "trap 'exit 0' TERM; while :; do sleep 0.2; done";
    const fixed = ["service", "create", "-d", "--name", name, "--entrypoint", "sh"];
    await mustDocker(lab.host(1), [...fixed, ...mount, ...labelled, "gam/test:1", "-c", script]);
    await mesh.running(lab.host(1), name, 1);
  }

  async function labels(
    name: string,
    { add = [], remove = [] }: { add?: readonly string[]; remove?: readonly string[] },
  ): Promise<void> {
    const options = [
      ...add.flatMap((one) => ["--label-add", one]),
      ...remove.flatMap((one) => ["--label-rm", one]),
    ];
    await mustDocker(other, ["service", "update", "-d", ...options, name]);
  }

  async function gam(host: Host, ...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await host.gam(args, { timeoutMs: patienceMs });
    if (code !== 0) throw new LabError(`Cannot run "gam ${args.join(" ")}": ${stderr || stdout}`);
    return stdout.trim();
  }

  async function listed(): Promise<BackupList> {
    return checkBackupList(await mesh.call(other, "GET", "/gam/v1/backups"), "backups");
  }

  async function settled(): Promise<void> {
    await mesh.until("no backup is being made", patienceMs, async () => {
      const { backups } = await listed();
      return backups.every(({ state }) => state === "complete" || state === "failed");
    });
  }

  async function inside(script: string): Promise<string> {
    return await mustDocker(other, [
      "exec",
      "db.1",
      "sh",
      "-ec",
      `touch /data/freeze
      until [ -e /data/frozen ]; do sleep 0.05; done; (${script}); code=$?; rm -f /data/freeze; exit $code`,
    ]);
  }

  /** What a volume of the host has, read by a container of its engine. Fails if its files do not agree. */
  async function surveyOf(host: Host, volume: string): Promise<string> {
    const mount = ["-v", `${volume}:/data`, "--entrypoint", "sh", "gam/test:1", "-ec", check];
    return await mustDocker(host, ["run", "--rm", "--network", "none", ...mount], { engine: true });
  }

  async function runsAgain(): Promise<void> {
    await mesh.running(other, "db", 1);
    await mesh.until("its container answers", patienceMs, async () => {
      const { code } = await other.docker(["exec", "db.1", "sh", "-c", "[ -s /data/two ]"], {
        timeoutMs: 30_000,
      });
      return code === 0;
    });
  }
});
