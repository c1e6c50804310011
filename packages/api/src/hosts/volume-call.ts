/**
 * Volume call: which calls about volumes a host takes from other hosts, and how a client names the volume of one.
 *
 * Decides by method and path alone.
 */

/** "db_data", or "host2/db_data" for the volume of that host. */
export interface VolumeReference {
  readonly host: string | undefined;
  readonly name: string;
}

const word = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** Returns: undefined for a text that no volume can be called. */
export function volumeReference(text: string): VolumeReference | undefined {
  const [first = "", second, ...more] = text.split("/");
  const [host, name] = second === undefined ? [undefined, first] : [first, second];
  if (more.length > 0 || !word.test(name) || (host !== undefined && !word.test(host))) {
    return undefined;
  }
  return { host, name };
}

const taken: readonly (readonly [method: string, path: RegExp])[] = [
  ["GET", /^(\/v\d+\.\d+)?\/volumes(\?.*)?$/],
  ["GET", /^(\/v\d+\.\d+)?\/volumes\/[a-zA-Z0-9][a-zA-Z0-9_.-]*$/],
  ["DELETE", /^(\/v\d+\.\d+)?\/volumes\/[a-zA-Z0-9][a-zA-Z0-9_.-]*(\?.*)?$/],
  ["POST", /^(\/v\d+\.\d+)?\/volumes\/(create|prune)(\?.*)?$/],
];

/** Whether this host's engine gets this call of another host. */
export function isVolumeCall(method: string | undefined, url: string | undefined): boolean {
  return taken.some(([allowed, path]) => allowed === method && path.test(url ?? ""));
}
