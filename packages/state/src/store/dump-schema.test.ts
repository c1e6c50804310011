import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode } from "@gam/core";
import { testId } from "@gam/core/testing";
import { aCluster, aNode } from "../testing/objects.ts";
import { TestLog } from "../testing/test-log.ts";
import { readDump } from "./dump.ts";
import { inOwnSchema, insistOnSchema, type SchemaStep, schema } from "./dump-schema.ts";
import { Store } from "./store.ts";

function aDump(): Record<string, unknown> {
  const log = new TestLog();
  log.write({ kind: "createCluster", cluster: aCluster() });
  log.write({ kind: "joinNode", node: aNode(testId("a")) });
  return decode(log.store.dump()) as Record<string, unknown>;
}

test("a snapshot of schema 2 is read with the first dialect", () => {
  const { dialect: _, ...before } = aDump();
  const store = new Store();
  store.restore(readDump(encode({ ...before, schema: 2 })));
  assert.deepEqual(decode(store.dump()), aDump());
});

test("a snapshot of a newer schema is refused with what to do", () => {
  const data = encode({ ...aDump(), schema: schema + 1 });
  const wanted = { code: "NOT_SUPPORTED", message: /newer gam has written it .* Upgrade gam/ };
  assert.throws(() => readDump(data), wanted);
  assert.throws(() => insistOnSchema(data), wanted, "before anything else of it is read");
});

for (const value of [aDump(), { ...aDump(), schema: 2 }, { nodes: 5 }, [], "schema", 7, null]) {
  const text = JSON.stringify(value).slice(0, 20);
  test(`insistOnSchema accepts ${text}`, () => insistOnSchema(encode(value)));
}

test("insistOnSchema finds the schema however many fields there are", () => {
  for (const count of [0, 10, 20, 66_000]) {
    const fields = Object.fromEntries(Array.from({ length: count }, (_, at) => [`f${at}`, at]));
    assert.throws(() => insistOnSchema(encode({ schema: 99, ...fields })), {
      code: "NOT_SUPPORTED",
    });
  }
  insistOnSchema(new Uint8Array());
});

const steps: Readonly<Record<number, SchemaStep>> = {
  1: { to: 2, step: ({ old, ...rest }) => ({ ...rest, text: String(old) }) },
  2: { to: 3, step: ({ text, ...rest }) => ({ ...rest, texts: [text] }) },
  4: { to: 3, step: ({ lines, ...rest }) => ({ ...rest, texts: lines }) },
};

for (const [name, dump, want] of [
  ["of its own", { schema: 3, texts: ["x"] }, { schema: 3, texts: ["x"] }],
  ["two steps behind", { schema: 1, old: 7 }, { schema: 3, texts: ["7"] }],
  ["of the next release", { schema: 4, lines: ["x"] }, { schema: 3, texts: ["x"] }],
  ["before all that is known", { schema: 0 }, { schema: 0 }],
] as const) {
  test(`a dump ${name} is converted to the known schema`, () => {
    assert.deepEqual(inOwnSchema(dump, steps, 3), want);
  });
}

test("a dump from two releases later is refused", () => {
  assert.throws(() => inOwnSchema({ schema: 5 }, steps, 3), {
    code: "NOT_SUPPORTED",
    message: /schema 5, and this gam reads up to 3/,
  });
});
