import assert from "node:assert/strict";
import { test } from "node:test";
import { aNode, TestLog } from "../testing/index.ts";
import { meetsConstraints, parseConstraint, readConstraints } from "./constraint.ts";

const log = new TestLog();
const made = aNode("a1", {
  address: "10.1.2.3",
  spec: { Labels: { zone: "East", empty: "" } },
  description: { Engine: { EngineVersion: "1", Labels: { disk: "ssd" }, Plugins: [] } },
});
log.write({ kind: "joinNode", node: made });
const [node] = log.store.nodes();
assert.ok(node);

const cases: readonly (readonly [text: string, holds: boolean])[] = [
  ["node.id == a1", true],
  ["node.id==A1", true],
  ["node.id != a1", false],
  ["node.hostname == host-a1", true],
  ["node.role == manager", true],
  ["NODE.ROLE != worker", true],
  ["node.platform.os == linux", true],
  ["node.platform.arch == x86_64", true],
  ["node.platform.arch == amd64", false],
  ["node.labels.zone == east", true],
  ["node.labels.zone == eas", false],
  ["node.labels.Zone == east", false],
  ["node.labels.rack == east", false],
  ["node.labels.rack != east", true],
  ["engine.labels.disk == ssd", true],
  ["node.ip == 10.1.2.3", true],
  ["node.ip == 10.1.0.0/16", true],
  ["node.ip != 10.1.0.0/16", false],
  ["node.ip == 10.2.0.0/16", false],
  ["node.ip == fd00::/8", false],
  ["node.ip == nonsense", false],
  ["no.such.key == x", false],
  ["no.such.key != x", false],
];
for (const [text, holds] of cases) {
  test(`${text} ${holds ? "holds" : "does not hold"}`, () => {
    assert.equal(meetsConstraints(readConstraints([text]), node), holds);
  });
}

const errors: readonly (readonly [text: string, message: string])[] = [
  ["node.id = a1", "constraint expected one operator from ==, !="],
  ["node.id", "constraint expected one operator from ==, !="],
  ["== a1", "key '' is invalid"],
  ["node id == a1", "key 'node id' is invalid"],
  ["node.labels.zone ==", "value '' is invalid"],
  ["node.labels.zone == a>b", "value 'a>b' is invalid"],
];
for (const [text, message] of errors) {
  test(`"${text}" is refused`, () => {
    assert.throws(() => parseConstraint(text), { code: "BAD_REQUEST", message });
    assert.equal(meetsConstraints(readConstraints([text]), node), false, "and no node meets it");
  });
}
