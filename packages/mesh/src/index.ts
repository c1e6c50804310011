export { Mesh } from "./mesh.ts";
export { insistOnAdvertised } from "./trust/address.ts";
export type { Role } from "./trust/certificate.ts";
export {
  type Credentials,
  createCluster,
  fingerprintOf,
  loadCredentials,
  newestRoot,
  removeCredentials,
  reserveCredentials,
  saveCredentials,
} from "./trust/credentials.ts";
export type { JoinRequest, MeshDoor, Roots, Wanted } from "./trust/door.ts";
export { insistOnVersion } from "./trust/file-version.ts";
export { type Identity, loadIdentity, makeIdentity, removeIdentity } from "./trust/identity.ts";
export type { Protocol } from "./trust/protocols.ts";
export { formatToken, makeSecret, openSecret, sealSecret, tokenKeyOf } from "./trust/token.ts";
export type { RequestHandler } from "./wire/rpc.ts";
