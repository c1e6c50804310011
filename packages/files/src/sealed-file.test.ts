import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { HostCipher } from "./host-cipher.ts";
import { isSealed, readSealed, replaceSealed } from "./sealed-file.ts";

const key = (byte: number): HostCipher => new HostCipher(new Uint8Array(32).fill(byte));
const sealing = { cipher: key(1), purpose: "identity" };
const mark = "a-secret-mark";

test("a sealed file comes back as it was, and shows nothing of its content", async (t) => {
  const path = join(mkdtempSync(join(tmpdir(), "gam-sealed-")), "file");
  t.after(() => rmSync(join(path, ".."), { recursive: true }));
  assert.equal(await readSealed(path, sealing), undefined);
  await replaceSealed(path, mark, sealing);
  const bytes = readFileSync(path);
  assert.ok(isSealed(bytes));
  assert.equal(statSync(path).mode & 0o777, 0o600);
  for (const form of ["utf8", "base64", "hex"] as const) {
    assert.ok(!bytes.includes(Buffer.from(mark).toString(form)), form);
  }
  const { content, isPlain } = (await readSealed(path, sealing)) ?? {};
  assert.deepEqual([String(content), isPlain], [mark, false]);
});

test("a sealed file does not open with another key, for another purpose, or changed", async (t) => {
  const path = join(mkdtempSync(join(tmpdir(), "gam-sealed-")), "file");
  t.after(() => rmSync(join(path, ".."), { recursive: true }));
  await replaceSealed(path, mark, sealing);
  const before = readFileSync(path);
  const refused = {
    code: "CORRUPT_FILE",
    message: /Cannot decrypt ".*file": .*Put back the "host/,
  };
  await assert.rejects(readSealed(path, { ...sealing, cipher: key(2) }), refused);
  await assert.rejects(readSealed(path, { ...sealing, purpose: "credentials" }), refused);
  assert.deepEqual(readFileSync(path), before);
  const text = before.toString();
  const at = text.length - 12;
  const other = text[at] === "A" ? "B" : "A";
  writeFileSync(path, text.slice(0, at) + other + text.slice(at + 1));
  await assert.rejects(readSealed(path, sealing), refused);
});

test("a plain file is read as it is", async (t) => {
  const path = join(mkdtempSync(join(tmpdir(), "gam-sealed-")), "file");
  t.after(() => rmSync(join(path, ".."), { recursive: true }));
  for (const text of ['{"version":1}', "", '{"version":2,"sealed":"AA']) {
    writeFileSync(path, text);
    const { content, isPlain } = (await readSealed(path, sealing)) ?? {};
    assert.deepEqual([String(content), isPlain], [text, true]);
  }
});

test("parts of a file cannot change places, nor move into another file", () => {
  const one = key(1).of("journal-1");
  const sealed = one.seal(Buffer.from(mark), "7");
  assert.equal(Buffer.from(one.open(sealed, "7")).toString(), mark);
  assert.throws(() => one.open(sealed, "8"));
  assert.throws(() => one.open(sealed));
  assert.throws(() => key(1).of("journal-2").open(sealed, "7"));
  assert.notDeepEqual(one.seal(Buffer.from(mark), "7"), sealed);
});
