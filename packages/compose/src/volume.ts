/**
 * Volume: reads `volumes` of a service, in the short and the long form.
 *
 * Does not change paths; spec.ts makes them absolute.
 * Source: the docker client's reading of `[source:]target[:options]`.
 */
import type { SourcePosition } from "./reading/problem.ts";
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
} from "./reading/read.ts";
import type { Value } from "./reading/value.ts";

const propagation = oneOf("private", "rprivate", "shared", "rshared", "slave", "rslave");
const kinds = ["volume", "bind", "tmpfs"] as const;

const fields = {
  type: oneOf(...kinds),
  source: text,
  target: text,
  read_only: boolean,
  consistency: text,
  bind: record(
    { propagation },
    {
      ignored: {
        create_host_path: "the path must exist on every node that may run the service",
        selinux: "label the path on the nodes",
      },
      refused: { recursive: "mount the inner paths one by one" },
    },
  ),
  volume: record({ nocopy: boolean }, { refused: { subpath: "mount the whole volume" } }),
  tmpfs: record({ size: bytes, mode: integer }),
};

export type Volume = RecordOf<typeof fields> & {
  readonly type: (typeof kinds)[number];
  readonly target: string;
};

const readLong = record(fields);

export const volume: Read<Volume> = shortOrLong(shortVolume, longVolume);

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
  const parts = spec.split(":");
  if (parts.length > 3 || parts.includes("")) return undefined;
  const [first = "", second, options = ""] = parts;
  if (second === undefined) return { at, type: "volume", target: first };
  const result: { -readonly [K in keyof Volume]: Volume[K] } = {
    at,
    type: /^[./~]/.test(first) ? "bind" : "volume",
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
