/**
 * API version: which versions of the Engine API clients may speak, and which one the engine gets.
 *
 * The API announces the engine's version, but at least 1.44: clients of early 2026 refuse less, and the Swarm
 * side has the same shape in all versions. A call for the engine gets at most the engine's version in its path;
 * the engine ignores fields of later versions.
 */
import { ApiError } from "./api-error.ts";

const versionMin = "1.24";
const versionUsual = "1.44";
const jsonErrorsSince = "1.24";

/** Everything that an engine takes for a version, so that it never gets one that was not checked here. */
const prefix = /^\/v([\d.]+)(?=[/?]|$)/;
const wellFormed = /^\d+\.\d+$/;

/** Returns: less than 0 if `a` is older than `b`. */
function compareVersions(a: string, b: string): number {
  const [majorA = 0, minorA = 0] = a.split(".").map(Number);
  const [majorB = 0, minorB = 0] = b.split(".").map(Number);
  return majorA - majorB || minorA - minorB;
}

/** Returns: the version for clients, given the engine's; `undefined` if no engine has answered. */
export function announced(engine: string | undefined): string {
  return engine !== undefined && compareVersions(engine, versionUsual) > 0 ? engine : versionUsual;
}

/** Returns: whether an engine of this version speaks that one; false while the engine's version is unknown. */
export function speaks(engine: string | undefined, version: string): boolean {
  return engine !== undefined && compareVersions(engine, version) >= 0;
}

export { versionMin };

/** Returns: the path without its version. */
export function unversioned(url: string): string {
  const rest = url.replace(prefix, "");
  return rest.startsWith("/") ? rest : `/${rest}`;
}

/** Returns: the version in the path, like "1.41"; undefined if it has none, which means the newest. */
export function askedVersion(url: string): string | undefined {
  return prefix.exec(url)?.[1];
}

/** Returns: whether the client is so old that it shows an error's body unparsed. */
export function wantsPlainErrors(url: string): boolean {
  const asked = prefix.exec(url)?.[1];
  return asked !== undefined && compareVersions(asked, jsonErrorsSince) < 0;
}

/** Errors: ApiError 400 for a client that is too old or too new. */
export function checkVersion(url: string, announcedVersion: string): void {
  const asked = prefix.exec(url)?.[1];
  if (asked === undefined) return;
  if (!wellFormed.test(asked)) throw new ApiError(400, `invalid API version "${asked}" in path`);
  const is = `client version ${asked} is too`;
  if (compareVersions(asked, announcedVersion) > 0) {
    throw new ApiError(400, `${is} new. Maximum supported API version is ${announcedVersion}`);
  }
  if (compareVersions(asked, versionMin) < 0) {
    const remedy = "please upgrade your client to a newer version";
    throw new ApiError(400, `${is} old. Minimum supported API version is ${versionMin}, ${remedy}`);
  }
}

/**
 * Returns: the same call in a version that the engine knows. While the engine's version is unknown: without a
 * version, which means the engine's newest.
 */
export function forEngine(url: string, engine: string | undefined): string {
  const asked = prefix.exec(url)?.[1];
  if (asked === undefined) return url;
  if (engine === undefined) return unversioned(url);
  return compareVersions(asked, engine) <= 0 ? url : url.replace(prefix, `/v${engine}`);
}
