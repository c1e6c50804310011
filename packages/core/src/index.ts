export { assert, BrokenInvariant, rethrowInvariant, unreachable } from "./assert.ts";
export { base64, equalBytes, fromBase64 } from "./bytes.ts";
export type { Check, Checked } from "./check.ts";
export * as check from "./check.ts";
export { decode, encode } from "./codec.ts";
export { crc32c } from "./crc32c.ts";
export type { Clock, Mint, Random } from "./doors.ts";
export { ed25519Der } from "./ed25519.ts";
export { type ErrorCode, GamError, hasCode, messageOf, reasonOf } from "./errors.ts";
export {
  base36,
  type ConfigId,
  type NetworkId,
  type NodeId,
  type ProposalId,
  type SecretId,
  type ServiceId,
  type TaskId,
  type VolumeName,
} from "./ids.ts";
export { jsonOr } from "./json.ts";
export { rootCertificateBody, rootCertificatePem, rootSubject } from "./root-certificate.ts";
export { sameValue } from "./same-value.ts";
export { parseDuration } from "./text/duration.ts";
export { nearest } from "./text/nearest.ts";
export { sizeText } from "./text/size.ts";
