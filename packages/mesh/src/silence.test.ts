import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Cable } from "./testing/cable.ts";
import { type MeshPeer, MeshWorld, until } from "./testing/mesh-world.ts";
import { parseAddress } from "./trust/address.ts";

let world: MeshWorld;
let cables: Cable[];
beforeEach(() => {
  world = new MeshWorld();
  cables = [];
});
afterEach(async () => {
  await world.close();
  for (const cable of cables) await cable.cut();
});

/** Two peers that reach each other only over cables, with short timeouts for silence. */
async function wired(dropAfterMs: number): Promise<[MeshPeer, MeshPeer]> {
  const limits = { pingAfterMs: 100, suspectAfterMs: 300, dropAfterMs, dialMs: 500 };
  const open = async (begin: (advertise: string) => Promise<MeshPeer>): Promise<MeshPeer> => {
    const cable = await Cable.lay();
    cables.push(cable);
    const peer = await begin(cable.address);
    const listening = peer.mesh.listening();
    cable.plugIn(parseAddress(listening).port);
    return peer;
  };
  const a = await open((advertise) => world.found({ advertise, limits }));
  const b = await open((advertise) => world.open({ advertise, limits }));
  await b.mesh.join(world.token(a));
  const met = [world.connected(a, b), world.connected(b, a)];
  world.introduce([a, b]);
  await Promise.all(met);
  return [a, b];
}

const stateOf = (at: MeshPeer): string | undefined => at.mesh.peers()[0]?.state;

/** Polls, since there is no event for a host that falls silent. */
function becomes(at: MeshPeer, state: string): Promise<void> {
  return until(`the peer to be ${state}`, (done: (value: undefined) => void) => {
    const look = setInterval(() => {
      if (stateOf(at) !== state) return;
      clearInterval(look);
      done(undefined);
    }, 10);
  });
}

test("a silent peer is neither refused nor disconnected, and the same connection goes on", async () => {
  const [a] = await wired(60_000);
  const reached: string[] = [];
  a.mesh.onReach((_, reach) => reached.push(reach));
  for (const cable of cables) cable.pull();
  await becomes(a, "silent");
  for (const cable of cables) cable.mend();
  await becomes(a, "connected");
  assert.deepEqual(reached, []);
});

test("a peer that stays silent is disconnected, never reported as refused, and found again", async () => {
  const [a, b] = await wired(1_200);
  const reached: string[] = [];
  a.mesh.onReach((_, reach) => reached.push(reach));
  const gone = world.reach(a, b.nodeId, "disconnected");
  for (const cable of cables) cable.pull();
  await gone;
  assert.equal(stateOf(a), "connecting");
  const back = [world.reach(a, b.nodeId, "connected"), world.connected(b, a)];
  for (const cable of cables) cable.mend();
  await Promise.all(back);
  assert.deepEqual(reached, ["disconnected", "connected"]);
});
