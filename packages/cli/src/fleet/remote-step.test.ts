import assert from "node:assert/strict";
import { test } from "node:test";
import { type Probe, packageFor, readProbe, remoteStep } from "./remote-step.ts";

const status = (state: string, self: string): string =>
  JSON.stringify(
    { version: "0.1.0", self, state, nodes: [{ id: "other", state: "ready" }] },
    undefined,
    2,
  );
const output = (more: string): string => `Welcome to host2\nmachine=x86_64\nuser=0\n${more}\n`;

const probes: readonly (readonly [string, string, Partial<Probe> | undefined])[] = [
  [
    "a fresh host",
    output("dpkg=/usr/bin/dpkg\ngam=\nagent="),
    { machine: "x86_64", isRoot: true, hasDpkg: true, version: "", agent: undefined },
  ],
  [
    "a member",
    output(`dpkg=\ngam=0.1.0\nagent=\n${status("active", "n1")}`),
    { hasDpkg: false, version: "0.1.0", agent: { state: "active", self: "n1" } },
  ],
  [
    "a locked host",
    output(`dpkg=\ngam=0.1.0\nagent=\n${status("locked", "")}`),
    { agent: { state: "locked", self: "" } },
  ],
  ["another program", "This account is not available\n", undefined],
];

for (const [name, text, want] of probes) {
  test(`readProbe() of ${name}`, () => {
    const found = readProbe(text);
    if (want === undefined) assert.equal(found, undefined);
    else assert.deepEqual({ ...found, ...want }, found);
  });
}

const fresh: Probe = {
  ...{ machine: "x86_64", isRoot: true, hasDpkg: true, version: "" },
  agent: undefined,
};
const there: Probe = { ...fresh, version: "0.1.0" };

const steps: readonly (readonly [string, Probe, string | RegExp])[] = [
  ["installs on a fresh host", fresh, "install"],
  ["joins where no agent runs", there, "join"],
  [
    "joins where the agent is in no mesh",
    { ...there, agent: { state: "inactive", self: "x" } },
    "join",
  ],
  ["is done with a member", { ...there, agent: { state: "active", self: "n1" } }, "done"],
  [
    "does not take a host of another mesh",
    { ...there, agent: { state: "active", self: "x" } },
    /another mesh/,
  ],
  ["does not join a locked host", { ...there, agent: { state: "locked", self: "" } }, /gam unlock/],
  ["needs root", { ...fresh, isRoot: false }, /not root/],
  ["needs a machine with a package", { ...fresh, machine: "riscv64" }, /no package for riscv64/],
];

for (const [name, probe, want] of steps) {
  test(`remoteStep() ${name}`, () => {
    const step = remoteStep(probe, ["n1"]);
    if (typeof want === "string") assert.equal(step.kind, want);
    else assert.match(step.kind === "cannot" ? step.why : step.kind, want);
  });
}

test("packageFor() prefers the .deb where there is dpkg", () => {
  const all = [
    { kind: "tar", machine: "amd64" },
    { kind: "deb", machine: "amd64" },
    { kind: "deb", machine: "arm64" },
  ] as const;
  const found = (machine: "amd64" | "arm64", hasDpkg: boolean) =>
    packageFor(all, { kind: "install", machine, hasDpkg });
  assert.deepEqual(found("amd64", true), all[1]);
  assert.deepEqual(found("amd64", false), all[0]);
  assert.deepEqual(found("arm64", true), all[2]);
  assert.equal(found("arm64", false), undefined);
  assert.equal(packageFor([all[0]], { kind: "install", machine: "amd64", hasDpkg: true }), all[0]);
});
