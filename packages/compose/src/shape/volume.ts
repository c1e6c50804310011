/**
 * Volume: reads `volumes` of a service, in the short and the long form.
 *
 * Paths on the host are made absolute; relative ones begin at the folder of the file.
 * Source: the docker client's reading of `[source:]target[:options]`.
 */
import { absolutePath, isWindowsPath } from "../reading/path.ts";
import type { SourcePosition } from "../reading/problem.ts";
import {
  boolean,
  bytes,
  type Context,
  integer,
  oneOf,
  type Read,
  type RecordOf,
  record,
  shortOrLong,
  text,
} from "../reading/read.ts";
import type { Value } from "../reading/value.ts";

const propagation = oneOf("private", "rprivate", "shared", "rshared", "slave", "rslave");
const kinds = ["volume", "bind", "tmpfs", "image"] as const;

const fields = {
  type: oneOf(...kinds),
  source: text,
  target: text,
  read_only: boolean,
  consistency: text,
  bind: record(
    { propagation, recursive: oneOf("enabled", "disabled", "writable", "readonly") },
    {
      ignored: {
        create_host_path: "the path must exist on every node that may run the service",
        selinux: "label the path on the nodes",
      },
    },
  ),
  volume: record(
    { nocopy: boolean, subpath: text },
    { ignored: { labels: "label the volume at the top level" } },
  ),
  image: record({ subpath: text }),
  tmpfs: record({ size: bytes, mode: integer }),
};

export type Volume = RecordOf<typeof fields> & {
  readonly type: (typeof kinds)[number];
  readonly target: string;
};

const readLong = record(fields);

export const volume: Read<Volume> = (value, context) => {
  const found = shortOrLong(shortVolume, longVolume)(value, context);
  if (found?.type !== "bind" || found.source === undefined) return found;
  if (isWindowsPath(found.source)) {
    const advice = "nodes are Linux hosts: write a path such as /srv/data";
    const message = `found the Windows path "${found.source}": ${advice}`;
    context.errors.push({ at: value.at, message });
    return undefined;
  }
  return { ...found, source: hostPath(found.source, context) };
};

/** The path on the node. `~` is the home of the person who deploys, as for the docker client. */
function hostPath(source: string, { environment, folder }: Context): string {
  const home = Object.hasOwn(environment, "HOME") ? environment.HOME : undefined;
  const expanded = source.startsWith("~") && home !== undefined ? home + source.slice(1) : source;
  return absolutePath(expanded, folder);
}

function longVolume(value: Value, context: Context): Volume | undefined {
  const long = readLong(value, context);
  if (long === undefined) return undefined;
  const fail = (message: string): undefined => {
    context.errors.push({ at: value.at, message });
  };
  const { type, target } = long;
  if (target === undefined)
    return fail('found a volume without "target": add the path inside the container');
  if (type === undefined)
    return fail(`found a volume without "type": add one of ${kinds.join(", ")}`);
  for (const other of kinds) {
    if (other !== type && long[other] !== undefined) {
      return fail(
        `found options of "${other}" with type "${type}": remove them or change the type`,
      );
    }
  }
  if (type === "bind" && !long.source)
    return fail('found type "bind" without "source": add a path on the node');
  if (type === "image" && !long.source)
    return fail('found type "image" without "source": add the name of the image');
  if (type === "tmpfs" && long.source) return fail('found "source" with type "tmpfs": remove it');
  return { ...long, type, target };
}

function shortVolume(value: Value, context: Context): Volume | undefined {
  const spec = text(value, context);
  if (spec === undefined) return undefined;
  const result = parseVolume(spec, value.at);
  if (result === undefined) {
    const message = `wanted a volume such as data:/var/lib/data:ro, found "${spec}"`;
    context.errors.push({ at: value.at, message });
  }
  return result;
}

/** The short form: `/path`, `name:/path`, `./here:/path:ro,rshared`. */
export function parseVolume(spec: string, at: SourcePosition): Volume | undefined {
  const parts = splitVolume(spec);
  if (parts.length > 3 || parts.includes("")) return undefined;
  const [first = "", second, options = ""] = parts;
  if (second === undefined) return { at, type: "volume", target: first };
  const result: { -readonly [K in keyof Volume]: Volume[K] } = {
    at,
    type: /^[./~]/.test(first) || isWindowsPath(first) ? "bind" : "volume",
    source: first,
    target: second,
  };
  for (const option of options.split(",")) {
    if (option === "ro") result.read_only = true;
    else if (option === "rw") result.read_only = false;
    else if (option === "nocopy") result.volume = { at, nocopy: true };
    else if (/^r?(?:private|shared|slave)$/.test(option)) {
      result.bind = { at, propagation: option as "shared" };
    }
    // Ignore other options (z, cached, …), like the docker client: only other programs use them.
  }
  return result;
}

/** `C:/data:/target` begins with a drive of Windows, `v:/target:ro` with the name of a volume. */
function splitVolume(spec: string): string[] {
  const [, source, rest] = /^([A-Za-z]:[\\/][^:]*):(\/.*)$/.exec(spec) ?? [];
  return source === undefined || rest === undefined
    ? spec.split(":")
    : [source, ...rest.split(":")];
}
