/**
 * Port: reads `ports` of a service, in the short and the long form.
 *
 * Source: the docker client's reading of `[address:][published:]target[/protocol]`, with ranges.
 */
import type { PortConfig } from "@gam/state";
import {
  type Context,
  integer,
  oneOf,
  type Read,
  record,
  shortOrLong,
  text,
} from "../reading/read.ts";
import type { Value } from "../reading/value.ts";

const portMax = 65_535;

const readLong = record(
  {
    name: text,
    target: integer,
    published: integer,
    protocol: oneOf("tcp", "udp", "sctp"),
    mode: oneOf("ingress", "host"),
  },
  {
    ignored: {
      host_ip: "a service listens on every address of a node",
      app_protocol: "nothing here reads this hint",
    },
  },
);

/** Reads one entry of `ports`. Returns: several ports for a range. */
export const ports: Read<PortConfig[]> = shortOrLong(shortPorts, longPorts);

function longPorts(value: Value, context: Context): PortConfig[] | undefined {
  const long = readLong(value, context);
  if (long === undefined) return undefined;
  const { name, target, published = 0, protocol, mode } = long;
  const fail = (message: string): undefined => {
    context.errors.push({ at: value.at, message });
  };
  if (target === undefined)
    return fail('found a port without "target": add the port inside the container');
  for (const port of [target, published]) {
    if (port > portMax) return fail(`wanted a port up to ${portMax}, found ${port}`);
  }
  return [
    {
      ...(name === undefined ? {} : { Name: name }),
      ...(protocol === undefined ? {} : { Protocol: protocol }),
      TargetPort: target,
      ...(published === 0 ? {} : { PublishedPort: published }),
      ...(mode === undefined ? {} : { PublishMode: mode }),
    },
  ];
}

function shortPorts(value: Value, context: Context): PortConfig[] | undefined {
  const spec = text(value, context);
  if (spec === undefined) return undefined;
  const result = parsePort(spec);
  if (!result.ok) {
    context.errors.push({ at: value.at, message: result.message });
    return undefined;
  }
  if (result.address !== "" && !/^(?:0\.0\.0\.0|\[?::\]?)$/.test(result.address)) {
    const message = `address "${result.address}" is ignored: a service listens on every address of a node`;
    context.warnings.push({ at: value.at, message });
  }
  return result.ports;
}

export type ParsedPort =
  | { readonly ok: true; readonly address: string; readonly ports: PortConfig[] }
  | { readonly ok: false; readonly message: string };

/** The short form: `80`, `8080:80`, `127.0.0.1:8000-8002:80-82/udp`. */
export function parsePort(spec: string): ParsedPort {
  const match = /^(?:(.*):)?([^:]*)$/.exec(spec);
  const [before = "", inside = ""] = [match?.[1], match?.[2]];
  const cut = before.lastIndexOf(":");
  const address = cut < 0 ? "" : before.slice(0, cut);
  const outside = before.slice(cut + 1);
  const [targets = "", protocol = "tcp", ...rest] = inside.toLowerCase().split("/");
  const wrong = (reason: string): ParsedPort => ({
    ok: false,
    message: `wanted a port such as 8080:80/tcp, found "${spec}": ${reason}`,
  });
  if (protocol !== "tcp" && protocol !== "udp" && protocol !== "sctp") {
    return wrong("the protocol is tcp, udp or sctp");
  }
  const target = readRange(targets);
  if (target === undefined || rest.length > 0) return wrong(`"${inside}" is not a port or range`);
  const published = outside === "" ? undefined : readRange(outside);
  if (outside !== "" && published === undefined)
    return wrong(`"${outside}" is not a port or range`);

  const port = (inner: number, outer: number | undefined): PortConfig => ({
    Protocol: protocol,
    TargetPort: inner,
    ...(outer === undefined || outer === 0 ? {} : { PublishedPort: outer }),
    PublishMode: "ingress",
  });
  if (published === undefined) {
    return { ok: true, address, ports: sequence(target).map((inner) => port(inner, undefined)) };
  }
  const difference = target.last - target.first;
  // A range of published ports for one target: each of them leads to it.
  if (difference === 0) {
    return {
      ok: true,
      address,
      ports: sequence(published).map((outer) => port(target.first, outer)),
    };
  }
  if (published.last - published.first !== difference) return wrong("the ranges differ in length");
  const found = sequence(target).map((inner, index) => port(inner, published.first + index));
  return { ok: true, address, ports: found };
}

interface PortRange {
  readonly first: number;
  readonly last: number;
}

function readRange(word: string): PortRange | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(word);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first <= last && last <= portMax ? { first, last } : undefined;
}

function sequence({ first, last }: PortRange): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
