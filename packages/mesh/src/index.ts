export { Mesh } from "./mesh.ts";
export { insistOnAdvertised } from "./trust/address.ts";
export { type Role, signRootCertificate } from "./trust/certificate.ts";
export {
  type Credentials,
  createCluster,
  fingerprintOf,
  hasCredentials,
  loadCredentials,
  newestRoot,
  removeCredentials,
  reserveCredentials,
  saveCredentials,
} from "./trust/credentials.ts";
export type { JoinRequest, MeshDoor, Roots, Wanted } from "./trust/door.ts";
export { insistOnVersion } from "./trust/file-version.ts";
export {
  hasSealedIdentity,
  type Identity,
  loadIdentity,
  makeIdentity,
  removeIdentity,
} from "./trust/identity.ts";
export type { Protocol } from "./trust/protocols.ts";
export { seal, unseal } from "./trust/seal.ts";
export { openKey, sealKey } from "./trust/sealing-key.ts";
export {
  formatToken,
  makeSecret,
  openSecret,
  sealSecret,
  tokenKeyOf,
} from "./trust/token.ts";
export {
  formatUnlockKey,
  makeUnlockKey,
  openUnlockKey,
  parseUnlockKey,
  sealUnlockKey,
} from "./trust/unlock-key.ts";
export { type RequestHandler, whyUnreachable } from "./wire/rpc.ts";
