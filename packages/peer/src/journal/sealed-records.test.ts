import assert from "node:assert/strict";
import { test } from "node:test";
import { formOf, readRecords, writeRecord } from "./record.ts";
import { openRecords, sealRecord, sealRecords, type Transform } from "./sealed-records.ts";

const name = "journal-0000000001";
/** A cipher that anyone can break, but which notices a wrong place. */
const seal: Transform = (payload, file, sequence) =>
  Buffer.concat([Buffer.from(`${file}:${sequence}:`), payload.map((byte) => byte ^ 0xff)]);
const open: Transform = (sealed, file, sequence) => {
  const head = `${file}:${sequence}:`;
  if (Buffer.from(sealed.subarray(0, head.length)).toString() !== head) throw new Error("bad tag");
  return sealed.subarray(head.length).map((byte) => byte ^ 0xff);
};
const payloads = ["one", "", "three, which is longer"].map((text) => Buffer.from(text));
const plain = Buffer.concat(payloads.map((payload, at) => writeRecord(at + 1, payload)));
const sealed = Buffer.concat(
  payloads.map((payload, at) => sealRecord(writeRecord(at + 1, payload), name, seal)),
);
const options = { salvage: false, remedy: "Do this" };

test("sealed records open as the plain ones, and no plain payload is in them", () => {
  assert.deepEqual(openRecords({ name, bytes: sealed }, open, options), {
    plain: { name, bytes: plain },
    endBytes: sealed.length,
  });
  assert.ok(!sealed.includes("three"));
  assert.deepEqual(sealRecords({ name, bytes: plain }, seal), sealed);
  assert.deepEqual(
    [formOf(plain), formOf(sealed), formOf(Buffer.alloc(3))],
    ["plain", "sealed", "plain"],
  );
});

test("a torn tail is cut off wherever the write stopped", () => {
  const { endBytes: two } = openRecords(
    { name, bytes: sealed.subarray(0, sealed.length - 1) },
    open,
    options,
  );
  for (let bytes = two; bytes < sealed.length; bytes += 1) {
    const found = openRecords({ name, bytes: sealed.subarray(0, bytes) }, open, options);
    assert.equal(found.endBytes, two);
    assert.equal(readRecords(name, found.plain.bytes).payloads.length, 2);
    assert.deepEqual(
      sealRecords({ name, bytes: plain.subarray(0, plain.length - 1) }, seal),
      sealed.subarray(0, two),
    );
  }
});

test("damage before an intact record is an error, and salvaging keeps what is before it", () => {
  const first = sealRecord(writeRecord(1, payloads[0] as Uint8Array), name, seal).length;
  const broken = Buffer.from(sealed);
  broken[first + 17] = (broken[first + 17] as number) ^ 1;
  assert.throws(() => openRecords({ name, bytes: broken }, open, options), {
    code: "CORRUPT_FILE",
    message: new RegExp(`"${name}": the record at offset ${first} is broken`),
  });
  const kept = openRecords({ name, bytes: broken }, open, { ...options, salvage: true });
  assert.deepEqual(readRecords(name, kept.plain.bytes).payloads, [payloads[0]]);
});

test("a record of another file or another key is an error that says what to do", () => {
  assert.throws(() => openRecords({ name: "journal-0000000002", bytes: sealed }, open, options), {
    code: "CORRUPT_FILE",
    message: /Cannot decrypt journal "journal-0000000002": record 1 .* Do this$/,
  });
});
