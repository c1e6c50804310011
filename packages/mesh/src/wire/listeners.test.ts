import assert from "node:assert/strict";
import { test } from "node:test";
import { Listeners } from "./listeners.ts";

test("Listeners are called in order, until they stop or all are cleared", () => {
  const heard: string[] = [];
  const listeners = new Listeners<[name: string, count: number]>();
  const stop = listeners.add((name, count) => heard.push(`first ${name} ${count}`));
  listeners.add((name) => heard.push(`second ${name}`));
  listeners.tell("a", 1);
  assert.deepEqual(heard.splice(0), ["first a 1", "second a"]);
  stop();
  stop();
  listeners.tell("b", 2);
  assert.deepEqual(heard.splice(0), ["second b"]);
  listeners.clear();
  listeners.tell("c", 3);
  assert.deepEqual(heard, []);
});

test("An error of a listener reaches the one who tells", () => {
  const listeners = new Listeners<[]>();
  listeners.add(() => {
    throw new RangeError("too much");
  });
  assert.throws(() => listeners.tell(), RangeError);
});
