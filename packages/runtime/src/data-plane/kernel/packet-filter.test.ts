import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import { hostTable, type NodePlan } from "@gam/network";
import { asSafe } from "@gam/network/testing";
import type { Run } from "./command.ts";
import { PacketFilter } from "./packet-filter.ts";

const plan = asSafe<NodePlan>({
  self: "self" as NodeId,
  underlay: "192.0.2.100",
  vxlanPort: 4789,
  neighbours: [],
  walls: { tunnelPort: 51820, members: [], guests: [], doors: [], doors6: [], ownDoors: [] },
  networks: [],
  services: [],
  ports: [],
  dns: { zones: [], clients: new Map(), confined: new Set() },
  problems: [],
});

/** A fake kernel with one table, which is whole after each write. */
class FakeNft {
  isWhole = true;
  writes = 0;
  /** The numbers of the writes right after which somebody flushes the table. */
  readonly flushedAfter = new Set<number>();

  readonly run: Run = async (_, args) => {
    if (args.includes("list"))
      return `table ip gam {\n${this.isWhole ? "\tchain a {\n\t}\n" : ""}}`;
    this.writes += 1;
    this.isWhole = !this.flushedAfter.has(this.writes);
    return "";
  };
}

async function written(nft: FakeNft): Promise<PacketFilter> {
  const filter = new PacketFilter(nft.run, "ip");
  await filter.write(hostTable(plan));
  await filter.check();
  return filter;
}

test("a table that the kernel has is not written again", async () => {
  const nft = new FakeNft();
  const filter = await written(nft);
  const before = nft.writes;
  assert.equal(await filter.check(), false);
  assert.equal(nft.writes, before);
});

test("a table that somebody flushed is written again", async () => {
  const nft = new FakeNft();
  const filter = await written(nft);
  nft.isWhole = false;
  assert.equal(await filter.check(), true);
  assert.ok(nft.isWhole);
});

for (const write of [2, 3]) {
  test(`a table flushed between write ${write} and its listing does not count as whole`, async () => {
    const nft = new FakeNft();
    nft.flushedAfter.add(write);
    await written(nft);
    assert.ok(nft.isWhole);
  });
}

test("a table that was flushed after every write for a while is whole in the end", async () => {
  const nft = new FakeNft();
  for (let write = 1; write < 10; write += 1) nft.flushedAfter.add(write);
  const filter = await written(nft);
  for (let checks = 0; checks < 200 && !nft.isWhole; checks += 1) await filter.check();
  assert.ok(nft.isWhole);
});
