/**
 * Engine path: which calls the local engine may get, judged by method and path alone.
 *
 * Decides two things. A connection is handed to the engine for four kinds of calls only (attach, exec,
 * session, grpc): what is said on it afterwards is read by nobody here. And no call about a Swarm is ever
 * passed on, however its path is spelled: the engine would make a Swarm of its own.
 */
import { unversioned } from "../request/api-version.ts";

/** A container or an exec, by name or id. Nothing in it can become another path. */
const ref = "[a-zA-Z0-9][a-zA-Z0-9_.-]*";

const upgrades: readonly { readonly method: string; readonly path: RegExp }[] = [
  { method: "POST", path: new RegExp(`^/containers/${ref}/attach$`) },
  { method: "GET", path: new RegExp(`^/containers/${ref}/attach/ws$`) },
  { method: "POST", path: new RegExp(`^/exec/${ref}/start$`) },
  { method: "POST", path: /^\/session$/ },
  { method: "POST", path: /^\/grpc$/ },
];

/** Whether the connection of such a call may become the engine's. */
export function mayUpgrade(method: string | undefined, url: string | undefined): boolean {
  const path = unversioned(url ?? "").split("?")[0] ?? "";
  return upgrades.some((one) => one.method === method && one.path.test(path));
}

/** First words of the Engine API's paths about a Swarm, and of gam's own. */
const clusterWords = new Set(["swarm", "nodes", "services", "tasks", "secrets", "configs", "gam"]);

/**
 * Whether a path means a call about a Swarm to some reader. Generous: the engine decodes, joins slashes and
 * takes more than one form of a version, and a later engine may do more of that.
 */
export function isClusterPath(url: string): boolean {
  return clusterWords.has(wordsOf(url)[0] ?? "");
}

/** What stands between the slashes of a path, as the most generous reader takes it; without its version. */
export function wordsOf(url: string): readonly string[] {
  const words: string[] = [];
  const path = url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, "").split(/[?#]/)[0] ?? "";
  for (const word of decoded(path).split(/[/\\]+/)) {
    if (word === "" || word === ".") continue;
    if (word === "..") words.pop();
    else words.push(word.toLowerCase());
  }
  while (/^v[\d.]+$/.test(words[0] ?? "")) words.shift();
  return words.map((word) => word.split(";")[0] ?? "");
}

/** Until nothing is left to decode: what is decoded once here may be decoded once more elsewhere. */
function decoded(path: string): string {
  let text = path;
  for (;;) {
    const next = text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    if (next === text) return text;
    text = next;
  }
}
