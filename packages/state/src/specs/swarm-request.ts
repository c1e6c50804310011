/** Swarm request: the bodies of the calls that begin a cluster, join one and unlock a manager. They decide nothing about values. */
import { clusterShape } from "./cluster-spec.ts";
import { flag, readBody, type Shaped, struct, text, texts, unsigned } from "./json-shape.ts";

export const initShape = struct("InitRequest", {
  ListenAddr: text,
  AdvertiseAddr: text,
  DataPathAddr: text,
  DataPathPort: unsigned,
  ForceNewCluster: flag,
  Spec: clusterShape,
  AutoLockManagers: flag,
  Availability: text,
  DefaultAddrPool: texts,
  SubnetSize: unsigned,
});

const joinShape = struct("JoinRequest", {
  ListenAddr: text,
  AdvertiseAddr: text,
  DataPathAddr: text,
  RemoteAddrs: texts,
  JoinToken: text,
  Availability: text,
});

const unlockShape = struct("UnlockRequest", { UnlockKey: text });

/** Errors: GamError BAD_REQUEST in Go's words. */
export function readInitRequest(body: unknown): Shaped<typeof initShape> {
  return readBody(initShape, body);
}

/** Errors: GamError BAD_REQUEST in Go's words. */
export function readJoinRequest(body: unknown): Shaped<typeof joinShape> {
  return readBody(joinShape, body);
}

/** Errors: GamError BAD_REQUEST in Go's words. */
export function readUnlockRequest(body: unknown): Shaped<typeof unlockShape> {
  return readBody(unlockShape, body);
}
