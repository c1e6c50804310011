export { insistOnAdvertised } from "./address.ts";
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
export type { JoinRequest, MeshDoor, Roots, Wanted } from "./door.ts";
export { insistOnVersion } from "./file-version.ts";
export { type Identity, loadIdentity, makeIdentity, removeIdentity } from "./identity.ts";
export { Mesh } from "./mesh.ts";
export type { Protocol } from "./protocols.ts";
export type { RequestHandler } from "./rpc.ts";
export { formatToken, makeSecret, openSecret, sealSecret, tokenKeyOf } from "./token.ts";
