import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { aService } from "../testing/objects.ts";
import { serviceLabelProblem, serviceLabels } from "./service-labels.ts";

const problems: readonly (readonly [
  title: string,
  labels: Record<string, string>,
  want: RegExp | undefined,
])[] = [
  ["none", {}, undefined],
  ["somebody else's", { "traefik.enable": "true", gam: "x", "gamma.x": "y" }, undefined],
  ["a right one", { "gam.ingress": "local" }, undefined],
  ["an empty one", { "gam.ingress": "" }, undefined],
  [
    "a wrong value",
    { "gam.ingress": "lokal" },
    /^label "gam.ingress" has the value "lokal": use "local", or leave/,
  ],
  [
    "a mistyped name",
    { "gam.ingres": "local" },
    /^label "gam.ingres" is unknown: did you mean "gam.ingress"\? gam's labels are gam.ingress, /,
  ],
  ["a name like no other", { "gam.x": "" }, /^label "gam.x" is unknown; gam's labels are /],
];

for (const [title, Labels, want] of problems) {
  test(`labels of a service: ${title}`, () => {
    const problem = serviceLabelProblem(aService("web", { spec: { Labels } }).spec);
    if (want === undefined) assert.equal(problem, undefined);
    else assert.match(problem ?? "", want);
  });
}

test("a label for the service on its containers is refused, with the right place", () => {
  const template = { ContainerSpec: { Image: "tiny:1", Labels: { "gam.ingress": "local" } } };
  const problem = serviceLabelProblem(aService("web", { template }).spec);
  assert.match(
    problem ?? "",
    /^label "gam.ingress" is on the containers, .* put it on the service/,
  );
});

test("docs/labels.md has each label with its values and what it does, and no other label", () => {
  const docs = readFileSync(new URL("../../../../docs/labels.md", import.meta.url), "utf8");
  const rows = docs.split("\n").filter((line) => line.startsWith("| `gam."));
  const want = serviceLabels.map(({ name, takes, does, without }) => {
    return `| \`${name}\` | ${takes} | ${does} | ${without} |`;
  });
  assert.deepEqual(rows, want);
});
