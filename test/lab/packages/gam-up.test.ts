/** gam up: one host has gam, and takes others into its cluster over ssh, with keys that the test makes. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Host, Lab, labUnavailable } from "../clusters/lab.ts";
import { at, done, equip, makePackages, putAll, Successors, shelf } from "./package-hosts.ts";

const program = "/usr/sbin/sshd";
const skip = labUnavailable() ?? (existsSync(program) ? false : "openssh-server is missing");
const number = 25;

const server = `Port 22
HostKey ${shelf}/host-key
AuthorizedKeysFile ${shelf}/key.pub
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
PidFile none
`;
const client = `Host *
  User root
  IdentityFile ${shelf}/key
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
`;
const up = `GAM_SSH="ssh -F ${shelf}/ssh_config" gam up`;

describe("hosts that one host takes into its cluster", { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), "gam-up-"));
  let lab: Lab;
  let first: Host;

  before(async () => {
    await makePackages(folder, ["deb"]);
    const { file } = new Successors(folder).first;
    rmSync(join(folder, "tree"), { recursive: true });
    lab = await Lab.up({ hosts: 4, number });
    first = lab.host(1);
    for (const host of lab.hosts) await equip(host);
    putAll(first, folder);
    writeFileSync(first.path(`${shelf}/ssh_config`), client, { mode: 0o600 });
    await done(first, `ssh-keygen -q -t ed25519 -N "" -f ${shelf}/key`);
    const key = readFileSync(first.path(`${shelf}/key.pub`));
    for (const host of lab.hosts.slice(1, 3)) {
      writeFileSync(host.path(`${shelf}/key.pub`), key);
      writeFileSync(host.path(`${shelf}/sshd_config`), server);
      await done(host, `ssh-keygen -q -t ed25519 -N "" -f ${shelf}/host-key && mkdir /run/sshd`);
      await host.spawn("sshd", [program, "-D", "-e", "-f", `${shelf}/sshd_config`]);
    }
    await done(first, `cd ${shelf} && sh install.sh ${file.slice(folder.length + 1)}`);
  });
  after(async () => {
    await Lab.down(number);
    rmSync(folder, { recursive: true });
  });

  test("on the first host it makes the cluster, and then says that it is there", async () => {
    assert.match(
      await done(first, "gam up"),
      /Began a mesh with this host[\s\S]* {2}gam join gam-1-/,
    );
    assert.match(
      await done(first, "gam up"),
      /This host is in a mesh of 1[\s\S]* {2}gam join gam-1-/,
    );
  });

  test("hosts without gam become members; one without ssh does not stop them", async (t) => {
    const watched = lab.host(2);
    // Every command line that has a token, while the host joins. The pattern does not match itself.
    const watch =
      'while [ ! -e /run/stop ]; do grep -lsa "gam-1[-]" /proc/[0-9]*/cmdline >>/run/seen; done';
    writeFileSync(watched.path("/run/watch.sh"), watch);
    const watcher = await watched.spawn("watch", ["sh", "/run/watch.sh"]);
    const beganMs = performance.now();
    const ended = await at(first, `${up} root@host2 root@host3 root@host4`);
    t.diagnostic(`two hosts in ${((performance.now() - beganMs) / 1000).toFixed(1)} s`);
    writeFileSync(watched.path("/run/stop"), "");
    assert.ok(watcher !== undefined);
    assert.equal(ended.code, 1, ended.stdout);
    assert.match(ended.stderr, /^root@host4: ssh does not get in: .*Connection refused/m);
    for (const name of ["host2", "host3"]) {
      assert.match(ended.stdout, new RegExp(`^root@${name}: installing gam_`, "m"), ended.stderr);
      assert.match(ended.stdout, new RegExp(`^root@${name}: ready$`, "m"), ended.stderr);
    }
    assert.equal(
      readFileSync(watched.path("/run/seen"), "utf8"),
      "",
      "a token was in a command line",
    );
    assert.match(await done(first, "gam status"), /Mesh of 3 hosts/);
  });

  test("run again, it has nothing left to do", async () => {
    const said = await done(first, `${up} root@host2 root@host3`);
    assert.match(said, /^root@host2: is a member already, and ready$/m);
    assert.match(said, /Nothing is wrong/);
  });

  test("a host that was half done is finished", async () => {
    const host = lab.host(3);
    await done(host, "gam leave --force");
    const said = await done(first, `${up} root@host3`);
    assert.match(said, /^root@host3: joining$/m);
    assert.doesNotMatch(said, /installing/);
    assert.match(await done(first, "gam status"), /host3/);
  });
});
