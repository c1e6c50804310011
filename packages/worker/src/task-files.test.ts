import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConfigId } from "@gam/core";
import type { FileTarget } from "@gam/state";
import { filesOf } from "./task-files.ts";
import { aTask, withFiles } from "./testing/index.ts";

const placed: readonly {
  target: Partial<FileTarget>;
  secret: string;
  config?: string;
  owner?: readonly number[];
}[] = [
  { target: { Name: "key" }, secret: "/run/secrets/key", config: "/key" },
  { target: { Name: "a/b" }, secret: "/run/secrets/a/b", config: "/a/b" },
  { target: { Name: "/etc/key" }, secret: "/etc/key" },
  {
    target: { UID: "1000", GID: "33", Mode: 0o640 },
    secret: "/run/secrets/key",
    config: "/key",
    owner: [1000, 33, 0o640],
  },
  {
    target: { UID: "", GID: "" },
    secret: "/run/secrets/key",
    config: "/key",
    owner: [0, 0, 0o444],
  },
  { target: { Mode: 0 }, secret: "/run/secrets/key", config: "/key", owner: [0, 0, 0] },
];

test("filesOf() says where each file is, whose it is and which content it has", () => {
  for (const { target, secret, config = secret, owner = [0, 0, 0o444] } of placed) {
    const { files, problems } = filesOf(withFiles(aTask("t1"), target));
    const [uid, gid, mode] = owner;
    assert.deepEqual(problems, []);
    assert.deepEqual(files, [
      { kind: "secret", id: "secret1", name: "key", content: 2, target: secret, uid, gid, mode },
      { kind: "config", id: "config1", name: "conf", content: 2, target: config, uid, gid, mode },
    ]);
  }
});

test("filesOf() makes no file of a credential spec", () => {
  const task = aTask("t1");
  const Configs = [{ Runtime: {}, ConfigID: "config1" as ConfigId, ConfigName: "conf" }];
  const Spec = { ContainerSpec: { Image: "tiny:1", Configs } };
  assert.deepEqual(filesOf({ ...task, Spec }), { files: [], problems: [] });
});

test("filesOf() names what it cannot make", () => {
  const task = withFiles(aTask("t1"), { UID: "root" });
  const wrong = 'strconv.Atoi: parsing "root": invalid syntax';
  assert.deepEqual(filesOf(task), { files: [], problems: [wrong, wrong] });
  for (const [UID, found] of [
    ["4294967294", undefined],
    ["4294967295", "value out of range"],
    ["99999999999999999999", "value out of range"],
    ["-1", "invalid syntax"],
  ] as const) {
    const one = found && `strconv.Atoi: parsing "${UID}": ${found}`;
    const { problems } = filesOf(withFiles(aTask("t1"), { UID }));
    assert.deepEqual(problems, one === undefined ? [] : [one, one]);
  }
  const bare = { ...task, Gam: { ...task.Gam, contents: {} } };
  assert.deepEqual(filesOf(bare).problems, ["secret key not found", "config conf not found"]);
});
