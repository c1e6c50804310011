import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkId } from "@gam/core";
import { seededRandom } from "@gam/core/testing";
import type { DnsPlan } from "@gam/network";
import { type DnsQuery, rcode } from "./dns-message.ts";
import { type NameAnswer, NameBook } from "./name-answer.ts";

const front = "front" as NetworkId;
const back = "back" as NetworkId;
const inner = "inner" as NetworkId;
const plan: DnsPlan = {
  zones: [
    {
      network: front,
      name: "front",
      internal: false,
      gateway: "10.0.1.2",
      subnet: "10.0.1.0/24",
      names: new Map([
        ["web", ["10.0.1.10"]],
        ["tasks.web", ["10.0.1.11", "10.0.1.12", "10.0.1.13"]],
        ["db", ["10.0.1.66"]],
        ["gone", []],
        ["vault.inner", ["10.0.1.77"]],
        ["web.1.abc", ["10.0.1.11"]],
      ]),
      reverse: new Map([["10.0.1.11", "web.1.abc.front"]]),
    },
    {
      network: back,
      name: "shop_back",
      internal: false,
      gateway: "10.0.2.2",
      subnet: "10.0.2.0/24",
      names: new Map([
        ["db", ["10.0.2.20"]],
        ["secret", ["10.0.2.30"]],
      ]),
      reverse: new Map([["10.0.2.20", "db.1.def.back"]]),
    },
    {
      network: inner,
      name: "inner.v2",
      internal: true,
      gateway: "10.0.3.2",
      subnet: "10.0.3.0/24",
      names: new Map([["vault", ["10.0.3.30"]]]),
      reverse: new Map([["10.0.3.30", "vault.1.ghi.inner"]]),
    },
  ],
  clients: new Map([
    ["10.0.3.50", [inner, back]],
    ["10.0.1.11", [front, back]],
    ["10.0.2.20", [back, front]],
    ["10.0.1.12", [front]],
    ["10.0.1.99", ["elsewhere" as NetworkId]],
    ["10.0.3.30", [inner]],
    ["10.0.3.40", [inner, front]],
    ["10.0.1.40", [inner, front]],
  ]),
  confined: new Set(["10.0.3.30"]),
};
const types = { A: 1, MX: 15, PTR: 12, AAAA: 28, ANY: 255, AXFR: 252 };

interface Case {
  readonly name: string;
  readonly from?: string;
  readonly at?: string;
  readonly ask: string;
  readonly class?: number;
  readonly want: string;
}

const inside = { ask: "A vault", want: "10.0.3.30" };
const outside = { ask: "A a.b", want: "no such name" };
const atInner = { at: "10.0.3.2" };

// `want` is the answer's addresses or its pointer, "empty", "no such name", "refused" or "forward".
const cases: readonly Case[] = [
  { name: "a service", ask: "A web", want: "10.0.1.10" },
  { name: "a name without AAAA exists", ask: "AAAA web", want: "empty" },
  { name: "a name without MX exists", ask: "MX web", want: "empty" },
  { name: "ANY of a name", ask: "ANY web", want: "empty" },
  { name: "a name without an address now", ask: "A gone", want: "empty" },
  { name: "an unknown name of one label", ask: "A printer", want: "forward" },
  { name: "an unknown name of one label, AAAA", ask: "AAAA printer", want: "forward" },
  { name: "a service in a search domain", ask: "A web.example.org", want: "forward" },
  { name: "the root", ask: "A ", want: "forward" },
  { name: "its first network", from: "10.0.1.11", ask: "A db", want: "10.0.1.66" },
  { name: "its own order", from: "10.0.2.20", ask: "A db", want: "10.0.2.20" },
  {
    name: "its own order at whatever gateway it asks",
    from: "10.0.2.20",
    at: "10.0.1.2",
    ask: "A db",
    want: "10.0.2.20",
  },
  { name: "its second network", from: "10.0.1.11", ask: "A secret", want: "10.0.2.30" },
  { name: "no name of another network", from: "10.0.1.12", ask: "A secret", want: "forward" },
  {
    name: "no name of another network at its gateway",
    from: "10.0.1.12",
    at: "10.0.2.2",
    ask: "A secret",
    want: "forward",
  },
  ...[
    ["web.front", "10.0.1.10"],
    ["tasks.web.front", "10.0.1.11 10.0.1.12 10.0.1.13"],
    ["web.1.abc.front", "10.0.1.11"],
    ["db.front", "10.0.1.66"],
    ["db.shop_back", "10.0.2.20"],
    ["gone.front", "empty"],
    ["vault.inner.front", "10.0.1.77"],
    ["web.front.front", "forward"],
    ["web.shop_back", "no such name"],
    ["a.b.shop_back", "no such name"],
    ["shop_back", "forward"],
    ["web.backfront", "forward"],
    ["nobody.front", "forward"],
    [".front", "forward"],
    ["front", "forward"],
    ["vault.inner.v2", "forward"],
  ].map(([name = "", want = ""]): Case => {
    const from = "10.0.1.11";
    return { name: `${name} in front and shop_back`, from, ask: `A ${name}`, want };
  }),
  { name: "a member's own name with its network, AAAA", ask: "AAAA web.front", want: "empty" },
  { name: "a name with a network of others", ask: "A db.shop_back", want: "forward" },
  {
    name: "a network's name with a dot",
    from: "10.0.3.50",
    ask: "A vault.inner.v2",
    want: "10.0.3.30",
  },
  {
    name: "no name of a network's name with a dot",
    from: "10.0.3.50",
    ask: "A db.inner.v2",
    want: "no such name",
  },
  {
    name: "a name of two networks by the name of the later one",
    from: "10.0.2.20",
    ask: "A db.front",
    want: "10.0.1.66",
  },
  { name: "an address of the network that no plan has yet", ask: "A db", want: "10.0.1.66" },
  { name: "an address from elsewhere", from: "172.17.0.2", ask: "A web", want: "refused" },
  { name: "an address from elsewhere, forward", from: "172.17.0.2", ask: "A a.b", want: "refused" },
  {
    name: "a client of a network that is not here",
    from: "10.0.1.99",
    ask: "A web",
    want: "forward",
  },
  { name: "PTR of a task", ask: "PTR 11.1.0.10.in-addr.arpa", want: "web.1.abc.front" },
  { name: "A of a reverse name", ask: "A 11.1.0.10.in-addr.arpa", want: "empty" },
  {
    name: "PTR of an unknown address of ours",
    ask: "PTR 77.1.0.10.in-addr.arpa",
    want: "no such name",
  },
  {
    name: "PTR in another network of ours",
    ask: "PTR 20.2.0.10.in-addr.arpa",
    want: "no such name",
  },
  {
    name: "PTR in its second network",
    from: "10.0.1.11",
    ask: "PTR 20.2.0.10.in-addr.arpa",
    want: "db.1.def.back",
  },
  { name: "PTR of others", ask: "PTR 8.8.8.8.in-addr.arpa", want: "forward" },
  { name: "PTR of no address", ask: "PTR x.1.0.10.in-addr.arpa", want: "forward" },
  { name: "PTR of a part", ask: "PTR 1.0.10.in-addr.arpa", want: "forward" },
  ...["10.0.3.2", "10.0.1.2", "192.0.2.1"].flatMap((at): Case[] => [
    { name: `in internal networks only, a name, at ${at}`, from: "10.0.3.30", at, ...inside },
    { name: `in internal networks only, others, at ${at}`, from: "10.0.3.30", at, ...outside },
    {
      name: `in internal networks only, PTR of others, at ${at}`,
      ...{ from: "10.0.3.30", at, ask: "PTR 8.8.8.8.in-addr.arpa", want: "no such name" },
    },
  ]),
  ...["10.0.3.40", "10.0.3.77", "10.0.3.2"].map(
    (from): Case => ({
      name: `at an internal gateway, from ${from}`,
      from,
      ...atInner,
      ...outside,
    }),
  ),
  {
    name: "in an internal network and another one",
    from: "10.0.1.40",
    ask: "A a.b",
    want: "forward",
  },
  { name: "in both, by its internal address", from: "10.0.3.40", ask: "A a.b", want: "forward" },
  { name: "another class", ask: "A web", class: 3, want: "refused" },
  { name: "a transfer", ask: "AXFR web", want: "refused" },
];

for (const { name, from = "10.0.1.50", at = "10.0.1.2", ask, class: kind, want } of cases) {
  test(`NameBook answers ${name}`, () => {
    const book = new NameBook(plan, seededRandom(1));
    const found = show(book.answer(query(ask, kind), { from, at }));
    assert.equal(found.split(" ").sort().join(" "), want.split(" ").sort().join(" "));
  });
}

test("NameBook rotates the addresses at random, and evenly in the long run", () => {
  const book = new NameBook(plan, seededRandom(7));
  const first = new Map<string, number>();
  for (let n = 0; n < 3000; n += 1) {
    const answer = book.answer(query("A tasks.web"), { from: "10.0.1.50", at: "10.0.1.2" });
    assert.ok(answer !== "forward");
    assert.deepEqual([...answer.addresses].sort(), ["10.0.1.11", "10.0.1.12", "10.0.1.13"]);
    const begin = answer.addresses[0] ?? "";
    first.set(begin, (first.get(begin) ?? 0) + 1);
  }
  for (const count of first.values()) assert.ok(count > 850 && count < 1150, `${count} of 3000`);
  assert.equal(first.size, 3);
});

test("NameBook refuses another version of EDNS", () => {
  const edns = { sizeBytes: 1232, version: 1, wantsDnssec: false };
  const answer = new NameBook(plan, seededRandom(1)).answer(
    { ...query("A web"), edns },
    { from: "10.0.1.50", at: "10.0.1.2" },
  );
  assert.ok(answer !== "forward" && answer.rcode === rcode.badVersion);
});

function query(ask: string, kind = 1): DnsQuery {
  const [type = "", name = ""] = ask.split(" ");
  const number = types[type as keyof typeof types];
  const rest = { id: 1, flags: 0, question: Buffer.alloc(0), edns: undefined };
  return { ...rest, name, type: number, class: kind };
}

function show(answer: NameAnswer | "forward"): string {
  if (answer === "forward") return answer;
  if (answer.rcode === rcode.noSuchName) return "no such name";
  if (answer.rcode === rcode.refused) return "refused";
  return answer.pointer ?? (answer.addresses.join(" ") || "empty");
}
