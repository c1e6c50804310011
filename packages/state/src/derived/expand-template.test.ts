import assert from "node:assert/strict";
import { test } from "node:test";
import {
  checkTemplate,
  expandPayload,
  expandTemplate,
  type PayloadSources,
  payloadProblem,
  type TemplateContext,
  withoutQuotes,
} from "./expand-template.ts";

const context: TemplateContext = {
  Service: { ID: "s1", Name: "web", Labels: { app: "shop", "a.b": "dotted" } },
  Node: { ID: "n1", Hostname: "höst1", Platform: { Architecture: "x86_64", OS: "linux" } },
  Task: { ID: "t1", Name: "web.1.t1", Slot: "1" },
};

const cases: readonly (readonly [string, string])[] = [
  ["plain", "plain"],
  ["", ""],
  ["{{.Service.ID}}/{{.Node.ID}}/{{.Task.ID}}/{{.Node.Hostname}}", "s1/n1/t1/höst1"],
  ["{{ .Node.Platform.Architecture }}-{{.Node.Platform.OS}}", "x86_64-linux"],
  ['{{index .Service.Labels "app"}}{{index .Service.Labels "missing"}}', "shop"],
  ["{{.Service.Labels.app}}", "shop"],
  ["{{.Service.Labels}}", "map[a.b:dotted app:shop]"],
  ['{{join "-" .Service.Name .Task.Slot}}{{join "x"}}', "web-1"],
  ['{{.Task.Slot | join "." "x"}}', "x.1"],
  ['{{printf "%s-%s" .Service.Name .Task.Slot}}', "web-1"],
  ["{{range $k, $v := .Service.Labels}}{{$k}}={{$v}},{{end}}", "a.b=dotted,app=shop,"],
  ["{{.}}", "{{s1 web map[a.b:dotted app:shop]} {n1 höst1 {x86_64 linux}} {t1 web.1.t1 1}}"],
];
for (const [text, want] of cases) {
  test(`expandTemplate() makes "${want}" of "${text}"`, () => {
    assert.deepEqual(expandTemplate(text, context), { text: want });
  });
}

const at = 'executing "expansion" at';
const refused: readonly (readonly [string, string])[] = [
  ["{{.Bogus}}", `1:2: ${at} <.Bogus>: can't evaluate field Bogus in type *template.Context`],
  [
    "é{{.Service.Bogus}}",
    `1:12: ${at} <.Service.Bogus>: can't evaluate field Bogus in type struct { ID string; Name string; Labels map[string]string }`,
  ],
  [
    "{{.Node.Platform.Bogus}}",
    `1:7: ${at} <.Node.Platform.Bogus>: can't evaluate field Bogus in type template.Platform`,
  ],
  ["{{.Service.Labels.app}}", `1:10: ${at} <.Service.Labels.app>: map has no entry for key "app"`],
  ["{{.Service.Name", "1: unclosed action"],
  ['{{upper "a"}}', '1: function "upper" not defined'],
  ['{{secret "a"}}', '1: function "secret" not defined'],
  [
    "{{join}}",
    `1:2: ${at} <join>: error calling join: runtime error: slice bounds out of range [1:0]`,
  ],
];
for (const [text, want] of refused) {
  test(`checkTemplate() refuses "${text}"`, () => {
    assert.equal(checkTemplate(text, { Name: "web" }), `template: expansion:${want}`);
  });
}

test("checkTemplate() accepts what expands for the tasks of the service", () => {
  const text = '{{.Node.Hostname}}-{{index .Service.Labels "app"}}-{{.Service.Labels.app}}';
  assert.equal(checkTemplate(text, { Name: "web", Labels: { app: "" } }), undefined);
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const sources: PayloadSources = {
  env: ["PORT=80", "EMPTY", "NAME=a=b", "PORT=81", "TMPL={{.Task.Slot}}"],
  secret: (target) => (target === "db" ? Uint8Array.of(0xff, 0x7b, 0x7b) : undefined),
  config: (target) => (target === "/etc/x" ? bytes("x: {{.Task.ID}}") : undefined),
};
const payloads: readonly (readonly [string, string, boolean])[] = [
  ['{{env "PORT"}}|{{env "NAME"}}|{{env "EMPTY"}}|{{env "NONE"}}', "80|a=b||", false],
  ['{{env "TMPL"}}', "{{.Task.Slot}}", false],
  ['{{config "/etc/x"}}', "x: {{.Task.ID}}", false],
  ['{{.Service.Name}}:{{len (secret "db")}}', "web:3", true],
  ['{{if false}}{{secret "db"}}{{end}}', "", false],
  ["no template", "no template", false],
];
for (const [text, want, sensitive] of payloads) {
  test(`expandPayload() makes "${want}" of "${text}"`, () => {
    const data = bytes(want);
    assert.deepEqual(expandPayload(bytes(text), context, sources), { data, sensitive });
  });
}

test("expandPayload() keeps a secret's bytes", () => {
  const got = expandPayload(bytes('<{{secret "db"}}>'), context, sources);
  assert.deepEqual(got, { data: Uint8Array.of(60, 0xff, 0x7b, 0x7b, 62), sensitive: true });
});

test("expandPayload() says which reference the task lacks", () => {
  assert.deepEqual(expandPayload(bytes('{{secret "other"}}'), context, sources), {
    error: `template: expansion:1:2: ${at} <secret "other">: error calling secret: secret target other not found`,
    sensitive: false,
  });
});

test("withoutQuotes() shows where a template failed, and nothing of what it holds or read", () => {
  const mark = "hunter2";
  const read = { ...sources, secret: (of: string) => (of === "db" ? bytes(mark) : undefined) };
  const nested = expandPayload(bytes('a\n{{secret (secret "db")}}'), context, read);
  assert.ok("error" in nested && nested.sensitive && nested.error.includes(mark));
  const hidden = ": the reason is not shown because it may quote a secret";
  assert.equal(withoutQuotes(nested.error), `template: expansion:2:2${hidden}`);
  const problem = payloadProblem(bytes(`{{${mark}}}`)) ?? "";
  assert.ok(problem.includes(mark));
  assert.equal(withoutQuotes(problem), `template: expansion:1${hidden}`);
  assert.equal(withoutQuotes(mark), `template: expansion${hidden}`);
});

test("payloadProblem() finds only what no task could mend", () => {
  assert.equal(payloadProblem(bytes('{{secret "x"}}{{.Service.Labels.x}}')), undefined);
  assert.equal(payloadProblem(bytes("a\n{{end}}")), "template: expansion:2: unexpected {{end}}");
});
