import assert from "node:assert/strict";
import { test } from "node:test";
import { GamError } from "@gam/core";
import fc from "fast-check";
import { checkChange } from "../store/check-proposal.ts";
import { readServiceSpec } from "./service-spec.ts";

/** A value that fits, or one that may not. */
const odd = <T>(...fit: readonly T[]): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 60, arbitrary: fc.constantFrom<unknown>(...fit) },
    { weight: 1, arbitrary: fc.constantFrom<unknown>(null, "", 0, -1, 2 ** 63, 1.5, "x", [], {}) },
  );
/** Any of these fields, and always those of `needed`. */
const some = (
  fields: Record<string, fc.Arbitrary<unknown>>,
  ...needed: readonly string[]
): fc.Arbitrary<object> => fc.record(fields, { requiredKeys: [...needed] });
const count = odd(0, 1, 3);
const nanoseconds = odd(0, 1_000_000, 5_000_000_000);
const words = odd([], ["a"], ["a=b", "c"], ["{{.Task.Slot}}"]);
const map = fc.dictionary(fc.constantFrom("a", "A", "Name", "com.example/x"), odd("", "1", "b=c"));

const update = some({
  Parallelism: count,
  Delay: nanoseconds,
  FailureAction: odd("", "pause", "continue", "rollback"),
  Monitor: nanoseconds,
  MaxFailureRatio: odd(0, 0.5, 1),
  Order: odd("", "stop-first", "start-first"),
});
const resources = some({ NanoCPUs: odd(0, 1e9), MemoryBytes: odd(0, 2 ** 25), Pids: count });
const container = some(
  {
    Image: odd("tiny:1", "reg:5000/a/b@sha256:".padEnd(83, "0")),
    Labels: map,
    Command: words,
    Args: words,
    Hostname: odd("h", "{{.Node.Hostname}}"),
    Env: words,
    User: odd("1000", "me"),
    Init: odd(true, false),
    TTY: odd(true, false),
    Mounts: fc.array(
      some({
        Type: odd("bind", "volume", "tmpfs"),
        Source: odd("", "/a", "v"),
        Target: odd("/a", "/b"),
        ReadOnly: odd(true, false),
      }),
      { maxLength: 2 },
    ),
    StopGracePeriod: nanoseconds,
    Healthcheck: some({
      Test: odd(["NONE"], ["CMD", "true"]),
      Interval: nanoseconds,
      Retries: count,
    }),
    Hosts: odd([], ["10.0.0.1 a"]),
    DNSConfig: some({ Nameservers: odd([], ["10.0.0.1"]), Search: words }),
    Sysctls: map,
    CapabilityAdd: odd([], ["CAP_NET_ADMIN"]),
    Ulimits: odd([], [{ Name: "nofile", Soft: 1, Hard: 2 }]),
  },
  "Image",
);
const spec = some(
  {
    Name: odd("web", "a-b", "a".repeat(63)),
    Labels: map,
    TaskTemplate: some(
      {
        ContainerSpec: container,
        Resources: some({ Limits: resources, Reservations: resources }),
        RestartPolicy: some({
          Condition: odd("none", "on-failure", "any"),
          Delay: nanoseconds,
          MaxAttempts: count,
          Window: nanoseconds,
        }),
        Placement: some({
          Constraints: odd([], ["node.role==manager"]),
          Preferences: odd([], [{ Spread: { SpreadDescriptor: "node.labels.zone" } }]),
          MaxReplicas: count,
          Platforms: odd([], [{ Architecture: "amd64", OS: "linux" }]),
        }),
        LogDriver: some({ Name: odd("json-file"), Options: map }),
        ForceUpdate: count,
        Runtime: odd("", "container"),
      },
      "ContainerSpec",
    ),
    Mode: fc.oneof(
      some({ Replicated: some({ Replicas: count }) }),
      some({ Global: odd({}) }),
      some({ ReplicatedJob: some({ MaxConcurrent: count, TotalCompletions: count }) }),
    ),
    UpdateConfig: update,
    RollbackConfig: update,
    EndpointSpec: some({
      Mode: odd("", "vip", "dnsrr"),
      Ports: fc.array(
        some({
          Name: odd("", "http"),
          Protocol: odd("", "tcp", "udp", "sctp"),
          TargetPort: odd(80, 65_535),
          PublishedPort: odd(0, 8080, 8081),
          PublishMode: odd("", "ingress", "host"),
        }),
        { maxLength: 2 },
      ),
    }),
  },
  "TaskTemplate",
);

/** Returns: the stored form, or the message of the refusal. Fails on any other error. */
function read(body: unknown): object | string {
  try {
    return readServiceSpec(body, { checkTemplate: () => undefined });
  } catch (thrown) {
    if (!(thrown instanceof GamError)) throw thrown;
    assert.notEqual(thrown.message, "");
    return thrown.message;
  }
}

test("a spec is refused, or its stored form is its own stored form and the log takes it", () => {
  let stored = 0;
  fc.assert(
    fc.property(spec, (body) => {
      const found = read(body);
      if (typeof found === "string") return;
      stored += 1;
      assert.deepEqual(read(JSON.parse(JSON.stringify(found))), found);
      const id = "s".repeat(25);
      const change = {
        kind: "createService",
        id,
        spec: { ...found, Name: "web" },
      };
      assert.deepEqual(checkChange(change, "change"), change);
    }),
    { numRuns: 600 },
  );
  assert.ok(stored > 30, `only ${stored} specs were valid`);
});

/** The keys of these are the client's own. */
const maps = new Set(["Labels", "Sysctls", "Options", "DriverOpts"]);

/** Returns: the same value, with the keys of structs in another case. */
function recased(value: unknown, change: (key: string) => string): unknown {
  if (Array.isArray(value)) return value.map((one) => recased(one, change));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [
      change(key),
      maps.has(key) ? one : recased(one, change),
    ]),
  );
}

const changes: readonly ((key: string) => string)[] = [
  (key) => key.toLowerCase(),
  (key) => key.toUpperCase(),
  (key) => `${key.charAt(0).toLowerCase()}${key.slice(1)}`,
  (key) => key.replaceAll("s", "\u017f").replaceAll("k", "\u212a"),
];

test("the case of field names means nothing, that of map keys stays", () => {
  fc.assert(
    fc.property(spec, fc.constantFrom(...changes), (body, change) => {
      assert.deepEqual(read(recased(body, change)), read(body));
    }),
    { numRuns: 300 },
  );
});
