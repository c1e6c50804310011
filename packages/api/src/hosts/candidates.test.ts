import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseContainer, type FoundContainer, silentText } from "./candidates.ts";

const a = (id: string, name: string, hostname = "host2"): FoundContainer<string> => ({
  host: hostname,
  hostname,
  id,
  name,
});

const cases = [
  ["nothing", "web", [], "none"],
  ["a whole id before a name", "ab", [a("ab", "x"), a("cd", "ab")], "one ab"],
  ["a name before a beginning", "ab", [a("ab12", "x"), a("cd", "ab", "host3")], "one cd by name"],
  ["one beginning", "ab", [a("ab12", "x"), a("ac", "y")], "one ab12"],
  ["a container found twice", "ab", [a("ab12", "x"), a("ab12", "x")], "one ab12"],
  [
    "two beginnings",
    "ab",
    [a("ab12", "y", "host3"), a("ab34", "x")],
    "multiple IDs found with provided prefix: ab (host2/x ab34, host3/y ab12)",
  ],
  [
    "one name on two hosts",
    "web",
    [a("1".repeat(64), "web"), a("2".repeat(64), "web", "host3")],
    "multiple containers are named web: host2/web 111111111111, host3/web 222222222222. Use HOST/NAME or an id",
  ],
] as const;

for (const [name, ref, found, want] of cases) {
  test(`chooseContainer(): ${name}`, () => {
    const choice = chooseContainer(ref, found);
    const text =
      choice.kind === "one"
        ? `one ${choice.candidate.id}${choice.byName ? " by name" : ""}`
        : choice.kind === "several"
          ? choice.message
          : choice.kind;
    assert.equal(text, want);
  });
}

test("an error names the hosts that could not be asked", () => {
  assert.equal(silentText([]), "");
  assert.equal(silentText(["host3"]), " (host3 does not answer)");
  assert.equal(silentText(["host4", "host3"]), " (host3 and host4 do not answer)");
  assert.equal(silentText(["c", "b", "a"]), " (a, b and c do not answer)");
  const many = Array.from({ length: 10 }, (_, at) => `h${at}`);
  assert.match(silentText(many), /h7 and 2 other hosts do not answer/);
});
