/**
 * Hosts are upgraded one after the other from a release to the next one, which brings a new kind of change.
 *
 * One mesh serves all tests, in order: each begins with the state that the one before leaves.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Host, Lab, LabError, labUnavailable } from "./clusters/lab.ts";
import { LabMesh } from "./clusters/lab-mesh.ts";
import { makeReleases, type Releases } from "./clusters/releases.ts";

const skip = labUnavailable() ?? false;
const number = 60;
const members = 3;
/** Only ends a test that would never end. */
const patienceMs = 120_000;

describe("a mesh that is upgraded host by host", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  let releases: Releases;
  /** Containers of the service, which must not change. */
  let containers: string;
  before(async () => {
    releases = await makeReleases();
    lab = await Lab.up({ hosts: members + 1, number });
    await Promise.all(lab.hosts.map((host) => host.startAgent({ bundle: releases.last })));
    mesh = await LabMesh.form(lab, members);
    await mesh.createService(lab.host(1), "web", members);
    await mesh.running(lab.host(1), "web", members);
    containers = await containersOf(mesh);
  });
  after(async () => {
    await Lab.down(number);
  });

  test("the last release does not know the change", async () => {
    assert.match(await rotate(mesh, lab.host(1)), /"rotateTokens" is no change/);
  });

  test("it is refused with the hosts to upgrade, until all are upgraded, and then accepted", async () => {
    const left = lab.hosts.slice(0, members).reverse();
    const token = await tokenAt(mesh, lab.host(1));
    for (const [at, host] of left.entries()) {
      const others = lab.hosts.slice(0, members).filter((one) => one !== host);
      const agents = others.map(({ agentPid }) => agentPid);
      await host.killAgent("SIGTERM");
      await host.startAgent({ bundle: releases.next });
      const behind = left.slice(at + 1).map(({ name }) => `"${name}"`);
      let found = "";
      await mesh.until(
        () => `${host.name} is upgraded (a write there: "${found}")`,
        patienceMs,
        async () => {
          found = await rotate(mesh, host);
          if (behind.length === 0) return found === "";
          return found.includes(`Upgrade gam on ${behind.toReversed().join(", ")} first`);
        },
      );
      assert.deepEqual(
        others.map(({ agentPid }) => agentPid),
        agents,
        "no agent has ended",
      );
      if (behind.length > 0) assert.equal(await tokenAt(mesh, host), token);
    }
    const rotated = await tokenAt(mesh, lab.host(3));
    assert.notEqual(rotated, token);
    await mesh.until("all have the new token", patienceMs, async () => {
      const tokens = await Promise.all(left.map((host) => tokenAt(mesh, host)));
      return tokens.every((one) => one === rotated);
    });
    assert.equal(await containersOf(mesh), containers, "containers changed");
    await mesh.scale(lab.host(2), "web", members + 1);
    await mesh.running(lab.host(1), "web", members + 1);
  });

  test("a host of the last release cannot join any more, hears why, and joins once upgraded", async () => {
    const host = lab.host(members + 1);
    const { manager } = await mesh.call<{ manager: string }>(lab.host(1), "GET", "/gam/v1/token");
    const join = (): Promise<void> => mesh.call(host, "POST", "/gam/v1/join", { token: manager });
    await assert.rejects(join(), /too old to join: .* Upgrade gam on this host and join again/);
    await host.killAgent("SIGTERM");
    await host.startAgent({ bundle: releases.next });
    await join();
    await mesh.until("it is a node", patienceMs, async () => {
      return (await mesh.nodes(lab.host(1))).length === members + 1;
    });
  });

  test("a downgraded agent does not start, says why, and leaves its disk as it was", async () => {
    const host = lab.host(2);
    await host.killAgent("SIGTERM");
    const before = contentOf(host);
    await assert.rejects(
      host.startAgent({ bundle: releases.last }),
      /a newer gam has written it \(it spoke dialect 2 .*Start the newer version again/,
    );
    assert.deepEqual(contentOf(host), before);
    await host.startAgent({ bundle: releases.next });
    await mesh.until("it is ready again", patienceMs, async () => {
      const nodes = await mesh.nodes(host);
      return nodes.every(({ Status }) => Status.State === "ready");
    });
    await mesh.running(host, "web", members + 1);
  });
});

/** The error of the write; "" when it was accepted. */
async function rotate(mesh: LabMesh, host: Host): Promise<string> {
  try {
    await mesh.call(host, "POST", "/gam/v1/token/rotate", {});
    return "";
  } catch (thrown) {
    if (!(thrown instanceof LabError)) throw thrown;
    // The message is JSON in JSON.
    return thrown.message.replaceAll("\\", "");
  }
}

async function tokenAt(mesh: LabMesh, host: Host): Promise<string> {
  const { worker } = await mesh.call<{ worker: string }>(host, "GET", "/gam/v1/token");
  // Without the addresses, whose order differs from host to host.
  return worker.split("-").slice(0, 4).join("-");
}

async function containersOf(mesh: LabMesh): Promise<string> {
  const places = await mesh.places("web");
  return places
    .map((place) => JSON.stringify(place))
    .sort()
    .join("\n");
}

/** Each file of the agent's data directory, with a digest of its bytes and its time of change. */
function contentOf(host: Host): readonly string[] {
  const folder = host.path("/var/lib/gam");
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  return names.map((name) => {
    const found = statSync(join(folder, name));
    if (!found.isFile()) return name;
    const digest = createHash("sha256").update(readFileSync(join(folder, name)));
    return `${name} ${digest.digest("hex")} ${found.mtimeMs}`;
  });
}
