/**
 * Local volumes on real hosts: tasks follow them, and they move without loss, whoever is killed meanwhile.
 *
 * One mesh serves all tests, in order: each begins with the state that the one before leaves. GAM_VOLUME_MIB sets
 * how much is moved.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Host, Lab, LabError, labUnavailable } from "./clusters/lab.ts";
import { LabMesh } from "./clusters/lab-mesh.ts";
import { mustDocker } from "./clusters/must-docker.ts";

const skip = labUnavailable() ?? false;
const number = 44;
/** Only ends a test that would never end. */
const patienceMs = 600_000;
const mebibytes = Number(process.env.GAM_VOLUME_MIB ?? 96);
const name = "data";
const folder = `/var/lib/docker/volumes/${name}`;

interface VolumeSummary {
  readonly name: string;
  readonly homes: readonly { readonly host: string }[];
  readonly move?: { readonly id: string; readonly bytes: number };
  readonly lastMove?: { readonly digest?: string; readonly error?: string };
  readonly leftovers: readonly string[];
}

/** Owners, modes, links, holes, names: what a copy could lose. */
const fill = `
  cd /data && mkdir -p deep/er && chmod 0750 deep && chown 999:33 deep
  echo kept > deep/er/file && chmod 4711 deep/er/file && ln deep/er/file hard && ln -s deep/er soft
  touch -d '2001-02-03 04:05:06' hard && mkfifo pipe && echo x > 'a name'
  dd if=/dev/zero of=hole bs=1 count=1 seek=50000000 2>/dev/null
  dd if=/dev/urandom of=big bs=1048576 count=${mebibytes} 2>/dev/null && sync`;
/** One line for each thing in the volume, and the checksums of all files. */
const survey = `
  cd /data && find . ! -type d -exec stat -c '%n %u %g %a %Y %s %h %F' {} + | sort
  find . -type d -exec stat -c '%n %u %g %a %F' {} + | sort
  find . -type f -exec sha256sum {} + | sort`;

describe("a service with a local volume on three hosts", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  let wanted = "";

  before(async () => {
    lab = await Lab.up({ hosts: 3, number, agents: true });
    mesh = await LabMesh.form(lab);
    const mount = ["--mount", `type=volume,source=${name},target=/data`];
    await mustDocker(lab.host(1), [
      "service",
      "create",
      "-d",
      "--name",
      "db",
      ...mount,
      "gam/test:1",
    ]);
    await mesh.running(lab.host(1), "db", 1);
    await inside(fill);
    wanted = await inside(survey);
  });
  after(async () => {
    await Lab.down(number);
  });

  test("its host dies: it waits and says why; the host returns: same data", async () => {
    const home = await homeOf();
    const others = lab.hosts.filter((host) => host !== home);
    await home.kill();
    const asked = others[0] as Host;
    const reason = `volume ${name} is on ${home.name}, which is down`;
    await mesh.until("the task says why it waits", patienceMs, async () => {
      const rows = await mustDocker(asked, ["service", "ps", "--no-trunc", "db"]);
      return rows.includes(reason);
    });
    for (const host of others) {
      const own = await mustDocker(host, ["volume", "ls", "-q"], { engine: true });
      assert.ok(!own.split("\n").includes(name), `${host.name} has an empty ${name}`);
    }
    await mesh.powerOn(home);
    await runsAgain(asked);
    assert.equal(await homeOf(), home);
    assert.equal(await inside(survey), wanted);
  });

  test("docker volume reaches it at every host", async () => {
    const home = await homeOf();
    const other = lab.hosts.find((host) => host !== home) as Host;
    const seen = await mustDocker(other, ["volume", "inspect", name]);
    assert.equal(JSON.parse(seen)[0].Labels["gam.host"], home.name);
    const all = await mustDocker(other, ["volume", "ls", "-q", "--filter", "gam.hosts=all"]);
    assert.ok(all.split("\n").includes(`${home.name}/${name}`), all);
    await assert.rejects(
      mustDocker(other, ["volume", "rm", name]),
      new RegExp(`${home.name}/${name}`),
    );
    await mustDocker(other, ["volume", "create", `${home.name}/extra`]);
    await mustDocker(other, ["volume", "rm", `${home.name}/extra`]);
  });

  test("it moves, and its service starts there with the same data", async () => {
    const home = await homeOf();
    const target = lab.hosts.find((host) => host !== home) as Host;
    const begunMs = performance.now();
    const said = await gam(target, "volume", "move", name, target.name);
    const seconds = (performance.now() - begunMs) / 1000;
    console.log(`moved ${mebibytes} MiB in ${seconds.toFixed(1)} s: ${said.split("\n").at(-1)}`);
    assert.match(said, /is on host\d now, SHA-256 [0-9a-f]{64}/);
    await runsAgain(target);
    assert.equal(await homeOf(), target);
    assert.equal(await inside(survey), wanted);
    await cleaned(target, [target]);
  });

  const kills: readonly (readonly [string, (from: Host, to: Host) => Promise<void>])[] = [
    ["the new host loses power", (_, to) => reboot(to)],
    ["the old host loses power", (from) => reboot(from)],
    ["the agent of the new host is killed", (_, to) => restart(to)],
    ["the agent of the old host is killed", (from) => restart(from)],
    ["the leader's agent is killed", async () => restart(lab.host(await mesh.leader(await up())))],
  ];
  for (const [at, [what, strike]] of kills.entries()) {
    test(`killed while it moves: ${what}`, async () => {
      const from = await homeOf();
      const to = lab.hosts.find((host) => host !== from) as Host;
      await gam(from, "volume", "move", "--detach", name, to.name);
      // Five moments: the request, the volume made there, and after parts of the data.
      const bytes = Math.floor((mebibytes * 2 ** 20 * at) / kills.length);
      await mesh.until(`${bytes} bytes are there`, patienceMs, async () => {
        const { move } = await recordOf(from);
        return move === undefined || at === 0 || (await bytesOn(to)) >= bytes;
      });
      const isUnderWay = (await recordOf(from)).move !== undefined;
      await strike(from, to);
      const asked = await up();
      await mesh.ready(asked, 3, patienceMs);
      await mesh.until("the move has ended", patienceMs, async () => {
        const { move, homes } = await recordOf(asked);
        assert.equal(homes.length, 1, "not one owner");
        return move === undefined;
      });
      const { lastMove } = await recordOf(asked);
      await runsAgain(asked);
      const owner = await homeOf();
      const when = isUnderWay ? "in the middle" : "after the end";
      console.log(`${what}, ${when}: on ${owner.name}, ${lastMove?.error ?? "moved"}`);
      assert.equal(owner, lastMove?.error === undefined ? to : from);
      assert.equal(await inside(survey), wanted);
      await cleaned(asked, [owner]);
    });
  }

  async function gam(host: Host, ...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await host.gam(args, { timeoutMs: patienceMs });
    if (code !== 0) throw new LabError(`Cannot run "gam ${args.join(" ")}": ${stderr || stdout}`);
    return stdout.trim();
  }

  async function up(): Promise<Host> {
    const host = lab.hosts.find((one) => one.isOn);
    assert.ok(host !== undefined);
    return host;
  }

  async function recordOf(host: Host): Promise<VolumeSummary> {
    const { volumes } = await mesh.call<{ volumes: VolumeSummary[] }>(
      host,
      "GET",
      "/gam/v1/volumes",
    );
    const volume = volumes.find((one) => one.name === name);
    assert.ok(volume !== undefined, "the record is gone");
    return volume;
  }

  async function homeOf(): Promise<Host> {
    const { homes } = await recordOf(await up());
    assert.equal(homes.length, 1);
    return lab.hosts.find((host) => host.name === homes[0]?.host) as Host;
  }

  async function inside(script: string): Promise<string> {
    return await mustDocker(await up(), ["exec", "db.1", "sh", "-ec", script]);
  }

  async function runsAgain(host: Host): Promise<void> {
    await mesh.running(host, "db", 1);
    await mesh.until("its container answers", patienceMs, async () => {
      const { code } = await host.docker(["exec", "db.1", "true"], { timeoutMs: 30_000 });
      return code === 0;
    });
  }

  async function bytesOn(host: Host): Promise<number> {
    if (!host.isOn) return 0;
    const { code, stdout } = await host.exec(["du", "-s", "-B1", folder]);
    return code === 0 ? Number.parseInt(stdout, 10) : 0;
  }

  /** Resolves when only these hosts have the volume. */
  async function cleaned(asked: Host, owners: readonly Host[]): Promise<void> {
    await mesh.until("no copy is left on other hosts", patienceMs, async () => {
      const { leftovers } = await recordOf(asked);
      if (leftovers.length > 0) return false;
      const has = await Promise.all(
        lab.hosts.map(async (host) => {
          const own = await mustDocker(host, ["volume", "ls", "-q"], { engine: true });
          return own.split("\n").includes(name);
        }),
      );
      return lab.hosts.every((host, index) => has[index] === owners.includes(host));
    });
  }

  async function reboot(host: Host): Promise<void> {
    await host.kill();
    const asked = await up();
    await mesh.until("the host is down", patienceMs, async () => {
      const nodes = await mesh.nodes(asked);
      const node = nodes.find(({ Description }) => Description.Hostname === host.name);
      return node?.Status.State === "down";
    });
    await mesh.powerOn(host);
  }

  async function restart(host: Host): Promise<void> {
    await host.killAgent("SIGKILL");
    await host.startAgent();
  }
});
