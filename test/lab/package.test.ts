/**
 * The package on hosts without Node and npm: it is installed, a cluster is formed with it, and a stack answers.
 *
 * Each host has a /usr of its own, without Node, in which dpkg writes. Nothing is read from this checkout but the
 * packages that scripts/package makes first.
 */
import assert from "node:assert/strict";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { type Host, Lab, labUnavailable } from "./clusters/lab.ts";
import { must } from "./hosts/run.ts";
import { at, done, equip, makePackages, putAll } from "./packages/package-hosts.ts";

const skip = labUnavailable() ?? false;
const number = 37;
const patienceMs = 60_000;

describe("hosts without Node that get gam from its package", { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), "gam-packages-"));
  let lab: Lab;
  let debian: string;

  before(async () => {
    await makePackages(folder, ["deb", "tar"]);
    debian = readdirSync(folder).find((name) => name.endsWith(".deb")) ?? "";
    lab = await Lab.up({ hosts: 3, number });
    for (const host of lab.hosts) {
      await equip(host);
      putAll(host, folder);
    }
  });
  after(async () => {
    await Lab.down(number);
    rmSync(folder, { recursive: true });
  });

  test("install.sh refuses what it cannot be sure of, and changes nothing", async () => {
    const host = lab.host(1);
    const cases: readonly (readonly [string, number, RegExp])[] = [
      ["sh install.sh", 2, /name the package/],
      ["sh install.sh --fast x.deb", 2, /unknown option "--fast"/],
      ["sh install.sh gam_9_s390x.deb", 1, /not for this machine/],
      [
        "sh install.sh none_amd64.deb",
        1,
        process.arch === "x64" ? /cannot read none_amd64.deb/ : /not for this/,
      ],
      [`sh install.sh ${debian} --sha256 ${"0".repeat(64)}`, 1, /not the file that the sum is of/],
      [
        `mkdir -p alone && cp ${debian} alone && sh install.sh alone/${debian}`,
        1,
        /no sum to check/,
      ],
    ];
    for (const [line, code, message] of cases) {
      const ended = await at(host, `cd /run/packages && ${line}`);
      assert.equal(ended.code, code, ended.stderr);
      assert.match(ended.stderr, message);
    }
    assert.notEqual((await at(host, "command -v gam")).code, 0);
  });

  test("a damaged package is refused", async () => {
    const host = lab.host(1);
    await done(host, `cd /run/packages && mkdir damaged && cp ${debian} SHA256SUMS damaged`);
    appendFileSync(host.path(`/run/packages/damaged/${debian}`), "x");
    const { code, stderr } = await at(host, `cd /run/packages && sh install.sh damaged/${debian}`);
    assert.equal(code, 1);
    assert.match(stderr, /not the file that the sum is of/);
  });

  test("five commands make a cluster of three and a stack that answers", async (t) => {
    const beganMs = performance.now();
    for (const host of lab.hosts) {
      const said = await done(host, `cd /run/packages && sh install.sh ${debian}`);
      assert.match(said, /its sha256 is right/);
      assert.match(said, /installed gam \d/);
    }
    const [first, ...others] = lab.hosts;
    assert.ok(first !== undefined);
    const token = /gam join (\S+)/.exec(await done(first, "gam init"))?.[1];
    await Promise.all(others.map((host) => done(host, `gam join ${token}`)));
    const stack =
      'services: {web: {image: "gam/test:1", command: [serve, "80"], ports: ["8080:80"], deploy: {replicas: 3}}}';
    const last = lab.host(3);
    await done(
      last,
      `echo '${stack}' >/run/packages/shop.yml && gam stack deploy -c /run/packages/shop.yml shop`,
    );
    await answers(last, "http://127.0.0.1:8080/");
    t.diagnostic(
      `from the package to an answer in ${((performance.now() - beganMs) / 1000).toFixed(1)} s`,
    );
    assert.match(
      await done(first, "gam status"),
      /host1.*ready[\s\S]*host2.*ready[\s\S]*host3.*ready/,
    );
  });

  async function answers(host: Host, url: string): Promise<void> {
    const deadlineMs = performance.now() + patienceMs;
    while ((await at(host, `busybox wget -q -O - ${url}`)).code !== 0) {
      assert.ok(performance.now() < deadlineMs, `${url} does not answer`);
      await pause(100);
    }
  }

  test("the agent runs with the package's Node, and its flags", async () => {
    const host = lab.host(1);
    const found = await done(
      host,
      "tr '\\0' ' ' </proc/$(pgrep -f agent.mjs | head -1)/cmdline; readlink /proc/$(pgrep -f agent.mjs | head -1)/exe",
    );
    assert.match(
      found,
      /--max-semi-space-size=2 --v8-pool-size=1 \/usr\/lib\/gam\/dist\/agent.mjs agent|--max-semi-space-size=2/,
    );
    assert.match(found, /\/usr\/lib\/gam\/bin\/node/);
  });

  test("the same package installed again keeps the member and its containers", async () => {
    const host = lab.host(2);
    await done(host, `cd /run/packages && sh install.sh ${debian}`);
    assert.match(await done(host, "gam status"), /host2.*ready/);
  });

  test("removing the package keeps the member's data, and says so when it is purged", async () => {
    const host = lab.host(3);
    await done(host, "dpkg --remove gam");
    assert.notEqual((await at(host, "command -v gam")).code, 0);
    assert.match(await done(host, "dpkg --purge gam"), /Left \/var\/lib\/gam/);
    assert.match(await done(host, "ls /var/lib/gam"), /journal|place/);
  });

  test("the tarball installs without dpkg's help", async () => {
    const host = lab.host(3);
    const tarball = readdirSync(folder).find((name) => name.endsWith(".tar.gz"));
    assert.match(
      await done(host, `cd /run/packages && sh install.sh ${tarball}`),
      /installed gam \d/,
    );
    assert.match(
      await done(host, "gam --version && readlink -f /usr/local/bin/gam"),
      /\/usr\/local\/lib\/gam\/bin\/gam/,
    );
    await done(host, "gzip -t /usr/local/share/man/man1/gam.1.gz");
  });

  test("the manual page and the completions of three shells come with it", async () => {
    const host = lab.host(1);
    const page = await done(host, "gzip -dc /usr/share/man/man1/gam.1.gz");
    assert.match(page, /^\.TH GAM 1 [\s\S]*\.SS gam volume move/);
    for (const file of [
      "bash-completion/completions/gam",
      "zsh/vendor-completions/_gam",
      "fish/vendor_completions.d/gam.fish",
    ]) {
      assert.match(await done(host, `cat /usr/share/${file}`), /gam complete -- /);
    }
    assert.match(await done(host, "gam complete -- why ''"), /host1[\s\S]*shop_web/);
  });

  test("the Ansible role copies the package once, and then changes nothing", async (t) => {
    if (!existsSync("/usr/bin/ansible-playbook")) return t.skip("ansible is missing");
    const hosts = [lab.host(1), lab.host(2)].map(({ name, pid }) => [
      name,
      { ansible_connection: "community.docker.nsenter", ansible_nsenter_pid: pid },
    ]);
    const vars = {
      ansible_remote_tmp: "/run/ansible",
      ansible_python_interpreter: "/usr/bin/python3",
    };
    const all = { gam: { hosts: Object.fromEntries(hosts), vars } };
    writeFileSync(join(folder, "hosts.yml"), JSON.stringify(all));
    const role = join(import.meta.dirname, "../../scripts/packaging/ansible");
    const play = { hosts: "gam", gather_facts: false, serial: 1 };
    const site = [{ ...play, roles: [{ role, gam_packages: folder }] }];
    writeFileSync(join(folder, "site.yml"), JSON.stringify(site));
    const args = ["-i", join(folder, "hosts.yml"), join(folder, "site.yml")];
    const home = { ...process.env, HOME: folder } as Record<string, string>;
    const recaps = [];
    for (let round = 0; round < 2; round += 1) {
      const stdout = await must("/usr/bin/ansible-playbook", args, { env: home });
      recaps.push(stdout.slice(stdout.indexOf("PLAY RECAP")));
    }
    assert.match(
      recaps[0] ?? "",
      /host1 .*changed=1 .*failed=0[\s\S]*host2 .*changed=1 .*failed=0/,
    );
    assert.match(
      recaps[1] ?? "",
      /host1 .*changed=0 .*failed=0[\s\S]*host2 .*changed=0 .*failed=0/,
    );
  });

  test("the list of parts and the licence are in the package", () => {
    const host = lab.host(1);
    assert.match(readFileSync(host.path("/usr/share/doc/gam/copyright"), "utf8"), /Apache License/);
    assert.ok(
      JSON.parse(readFileSync(host.path("/usr/lib/gam/sbom.json"), "utf8")).components.length > 50,
    );
  });
});
