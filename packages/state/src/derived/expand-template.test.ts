import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { checkTemplate, expandTemplate, type TemplateContext } from "./expand-template.ts";

const context: TemplateContext = {
  Service: { ID: "s1", Name: "web", Labels: { app: "shop", "a.b": "dotted" } },
  Node: { ID: "n1", Hostname: "host1", Platform: { Architecture: "x86_64", OS: "linux" } },
  Task: { ID: "t1", Name: "web.1.t1", Slot: "1" },
};

const cases: readonly (readonly [string, string])[] = [
  ["plain", "plain"],
  ["", ""],
  ["{{.Service.ID}}/{{.Node.ID}}/{{.Task.ID}}", "s1/n1/t1"],
  ["{{ .Node.Platform.Architecture }}-{{.Node.Platform.OS}}", "x86_64-linux"],
  ['{{index .Service.Labels "app"}}', "shop"],
  ['{{index .Service.Labels "a.b"}}', "dotted"],
  ['{{index .Service.Labels "missing"}}', ""],
  ["{{.Service.Labels.app}}", "shop"],
  ["{{.Service.Labels}}", "map[a.b:dotted app:shop]"],
  ['{{join "-" .Service.Name .Task.Slot}}', "web-1"],
  ['{{.Task.Slot | join "." "x"}}', "x.1"],
  ['{{if eq .Task.Slot "1"}}first{{else}}other{{end}}', "first"],
  ['{{if eq .Task.Slot "2" "3"}}first{{else if ne .Task.Slot "1"}}b{{else}}c{{end}}', "c"],
  ['{{if and (eq .Task.Slot "1") (not false)}}yes{{end}}', "yes"],
  ["{{if or false .Service.Labels.app}}yes{{end}}!", "yes!"],
  ['{{if eq .Task.Slot "2"}}{{.Bogus}}{{end}}kept', "kept"],
  ["a {{- .Task.Slot -}} b", "a1b"],
  ["{{`raw`}}{{print 1 2}}{{len .Service.Name}}", "raw123"],
];
for (const [text, want] of cases) {
  test(`expandTemplate() makes "${want}" of "${text}"`, () => {
    assert.deepEqual(expandTemplate(text, context), { text: want });
  });
}

const refused: readonly (readonly [string, string])[] = [
  [
    "{{.Bogus}}",
    'template: expansion:1:2: executing "expansion" at <.Bogus>: can\'t evaluate field Bogus in type *template.Context',
  ],
  ["{{.Service.Name", "template: expansion:1: unclosed action"],
  ['{{upper "a"}}', 'template: expansion:1: function "upper" not defined'],
  ["{{}}", "template: expansion:1: missing value for command"],
  ["{{if .Task.ID}}a", "template: expansion:1: unexpected EOF"],
  ["{{end}}", "template: expansion:1: unexpected {{end}}"],
  ["{{.Task.ID ]}}", 'template: expansion:1: unexpected "]" in command'],
];
for (const [text, want] of refused) {
  test(`checkTemplate() refuses "${text}"`, () => assert.equal(checkTemplate(text), want));
}

test("checkTemplate() accepts what expands for any task", () => {
  assert.equal(checkTemplate('{{.Node.Hostname}}-{{index .Service.Labels "app"}}'), undefined);
  assert.equal(checkTemplate("{{.Service.Labels.app}}"), undefined);
});

test("any text ends in a text or an error", () => {
  const piece = fc.constantFrom("{{", "}}", "if ", "else", "end", "(", ")", "|", '"', ".A", " ");
  fc.assert(
    fc.property(
      fc.array(fc.oneof(piece, fc.string({ maxLength: 4 })), { maxLength: 20 }),
      (all) => {
        const expanded = expandTemplate(all.join(""), context);
        assert.equal(typeof ("text" in expanded ? expanded.text : expanded.error), "string");
      },
    ),
  );
});
