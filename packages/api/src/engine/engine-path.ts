/**
 * Engine path: decides by method and path alone which calls the local engine may get.
 *
 * Decides two things. Only four kinds of calls (attach, exec, session, grpc) may hand their connection to the
 * engine, because the API does not read what follows on it. And no call about a Swarm is ever passed on,
 * however its path is spelled: the engine would make its own Swarm.
 */
import { unversioned } from "../request/api-version.ts";

/** A container or an exec, by name or id. It cannot contain another path. */
const ref = "[a-zA-Z0-9][a-zA-Z0-9_.-]*";

const upgrades: readonly { readonly method: string; readonly path: RegExp }[] = [
  { method: "POST", path: new RegExp(`^/containers/${ref}/attach$`) },
  { method: "GET", path: new RegExp(`^/containers/${ref}/attach/ws$`) },
  { method: "POST", path: new RegExp(`^/exec/${ref}/start$`) },
  { method: "POST", path: /^\/session$/ },
  { method: "POST", path: /^\/grpc$/ },
];

/** Returns: whether the connection of this call may become the engine's. */
export function mayUpgrade(method: string | undefined, url: string | undefined): boolean {
  const path = unversioned(url ?? "").split("?")[0] ?? "";
  return upgrades.some((one) => one.method === method && one.path.test(path));
}

/** First words of the Engine API's paths about a Swarm, and of gam's own. */
const clusterWords = new Set(["swarm", "nodes", "services", "tasks", "secrets", "configs", "gam"]);

/**
 * Returns: whether some reader may take the path for a call about a Swarm. Generous on purpose: the engine
 * decodes, joins slashes and accepts several forms of a version, and a later engine may do more of that.
 */
export function isClusterPath(url: string): boolean {
  return clusterWords.has(wordsOf(url)[0] ?? "");
}

/** Returns: the parts of a path between slashes, as the most generous reader takes them; without its version. */
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

/** Decodes again and again until nothing changes, because a later reader may decode once more. */
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
