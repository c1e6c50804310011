import assert from "node:assert/strict";
import { test } from "node:test";
import {
  flag,
  flagOrNot,
  float,
  goFields,
  labels,
  list,
  readBody,
  signed,
  signedOrZero,
  struct,
  text,
  texts,
  unsigned,
  unsignedOrZero,
} from "./json-shape.ts";

const inner = struct("Inner", { Replicas: unsignedOrZero, Kind: text });
const shape = struct("Outer", {
  Name: text,
  Labels: labels,
  Flag: flag,
  Init: flagOrNot,
  Count: unsigned,
  Delay: signed,
  Pause: signedOrZero,
  Ratio: float,
  Args: texts,
  Mode: struct("Mode", { Replicated: inner, Global: struct("Global", {}) }),
  Many: list(inner, {}, "swarm.Inner"),
  HealthCheck: text,
});

/** What Go's encoding/json makes of a text, as this reader keeps it. */
const read: readonly (readonly [json: string, want: object])[] = [
  // Keys: exact, else without case, also by Unicode's simple folding.
  ['{"Name":"a"}', { Name: "a" }],
  ['{"name":"a"}', { Name: "a" }],
  ['{"NAME":"a"}', { Name: "a" }],
  ['{"Healthcheck":"a"}', { HealthCheck: "a" }],
  ['{"healthchecK":"a"}', { HealthCheck: "a" }],
  ['{"label\u017f":{"a":"1"}}', { Labels: { a: "1" } }],
  ['{"arg\u017f":["a"]}', { Args: ["a"] }],
  ['{"Nam\u00e9":"a","Na me":"a","":"a","İnit":true}', {}],
  ['{"mode":{"global":{}}}', { Mode: { Global: {} } }],
  ['{"Mode":{"replicated":{"replicas":3}}}', { Mode: { Replicated: { Replicas: 3 } } }],
  ['{"many":[{"replicas":0},{"KIND":"b"}]}', { Many: [{ Replicas: 0 }, { Kind: "b" }] }],
  // Of several keys for one field the last one counts.
  ['{"Name":"a","name":"b"}', { Name: "b" }],
  ['{"name":"b","Name":"a"}', { Name: "a" }],
  ['{"name":"a","NAME":"b","nAme":"c"}', { Name: "c" }],
  // Map keys keep their case, and all of them stay.
  ['{"labels":{"A":"1","a":"2","Name":"3"}}', { Labels: { A: "1", a: "2", Name: "3" } }],
  ['{"labels":{"a":null}}', { Labels: { a: "" } }],
  // Unknown keys are dropped, also those that an object of JavaScript has.
  ['{"toString":"a","constructor":1,"__proto__":{"Name":"a"},"Nome":1}', {}],
  // Null leaves the zero value.
  ['{"Name":null,"Labels":null,"Count":null,"Mode":null,"Args":null,"Init":null}', {}],
  ['{"Args":["a",null]}', { Args: ["a", ""] }],
  ['{"Many":[null]}', { Many: [{}] }],
  // Pointers tell zero from absent.
  ['{"Init":false,"Pause":0,"Flag":false,"Delay":0,"Count":0}', { Init: false, Pause: 0 }],
  ['{"Mode":{"Replicated":{}}}', { Mode: { Replicated: {} } }],
  ['{"Ratio":0.5,"Delay":-1}', { Ratio: 0.5, Delay: -1 }],
];
for (const [json, want] of read) {
  test(`a Go server reads ${json} as ${JSON.stringify(want)}`, () => {
    assert.deepEqual(readBody(shape, JSON.parse(json)), want);
  });
}

const field = (path: string, type: string, struct = "Outer"): string =>
  `into Go struct field ${struct}.${path} of type ${type}`;

const refused: readonly (readonly [json: string, message: string])[] = [
  ['{"Name":1}', `number ${field("Name", "string")}`],
  ['{"name":true}', `bool ${field("Name", "string")}`],
  ['{"Name":{}}', `object ${field("Name", "string")}`],
  ['{"Count":"1"}', `string ${field("Count", "uint64")}`],
  ['{"count":1.5}', `number 1.5 ${field("Count", "uint64")}`],
  ['{"Count":-1}', `number -1 ${field("Count", "uint64")}`],
  ['{"Count":18446744073709551616}', `number 18446744073709552000 ${field("Count", "uint64")}`],
  ['{"Delay":"5s"}', `string ${field("Delay", "int64")}`],
  ['{"Flag":"true"}', `string ${field("Flag", "bool")}`],
  ['{"Flag":1}', `number ${field("Flag", "bool")}`],
  ['{"Ratio":"1"}', `string ${field("Ratio", "float32")}`],
  ['{"Args":"a b"}', `string ${field("Args", "[]string")}`],
  ['{"Args":[1]}', `number ${field("Args", "string")}`],
  ['{"Labels":["a=1"]}', `array ${field("Labels", "map[string]string")}`],
  ['{"Labels":{"a":1}}', `number ${field("Labels", "string")}`],
  [
    '{"mode":{"replicated":{"replicas":"3"}}}',
    `string ${field("Mode.Replicated.Replicas", "uint64", "Inner")}`,
  ],
  ["[]", "array into Go value of type Outer"],
  ['"a"', "string into Go value of type Outer"],
];
for (const [json, message] of refused) {
  test(`a Go server refuses ${json}`, () => {
    assert.throws(() => readBody(shape, JSON.parse(json)), {
      code: "BAD_REQUEST",
      message: `json: cannot unmarshal ${message}`,
    });
  });
}

test("an exact name comes before one without case", () => {
  const fieldOf = goFields(["ID", "Id"]);
  assert.deepEqual(["ID", "Id", "ıd", "nothing"].map(fieldOf), ["ID", "Id", undefined, undefined]);
});
