export { insistOnAdvertised } from "./address.ts";
export type { StreamHandler } from "./byte-stream.ts";
export type { Role } from "./certificate.ts";
export {
  type Credentials,
  createCluster,
  fingerprintOf,
  loadCredentials,
  newestRoot,
  removeCredentials,
  reserveCredentials,
  saveCredentials,
} from "./credentials.ts";
export type {
  JoinRequest,
  Logger,
  Member,
  MeshDoor,
  MeshOptions,
  PeerRow,
  Reach,
  Roots,
  Sender,
  Topic,
  Wanted,
} from "./door.ts";
export { insistOnVersion } from "./file-version.ts";
export { type Identity, loadIdentity, makeIdentity, removeIdentity } from "./identity.ts";
export type { Joined } from "./join.ts";
export type { Limits } from "./limits.ts";
export { Mesh } from "./mesh.ts";
export type { Protocol } from "./protocols.ts";
export type { RequestHandler } from "./rpc.ts";
export {
  formatToken,
  makeSecret,
  openSecret,
  parseToken,
  sealSecret,
  type Token,
  tokenKeyOf,
} from "./token.ts";
