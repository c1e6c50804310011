import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import type { ServiceSpec } from "@gam/state";
import { differences, essence } from "./comparable.ts";
import { readStack } from "./read-stack.ts";
import type { NetworkOfCluster, RunningStack } from "./stack-entries.ts";
import { writeStack } from "./write-stack.ts";

const folder = new URL("../testdata/", import.meta.url);

interface Recorded {
  readonly networks: readonly {
    readonly Name: string;
    readonly Driver: string;
    readonly Labels: Record<string, string>;
    readonly Options: Record<string, string> | null;
    readonly Internal: boolean;
    readonly Attachable: boolean;
    readonly IPAM: { readonly Config: readonly { readonly Subnet: string }[] | null } | null;
  }[];
  readonly configs: readonly {
    readonly Name: string;
    readonly Labels: Record<string, string>;
    readonly Data: string;
    readonly Templating?: { readonly Name: string };
  }[];
  readonly services: readonly ServiceSpec[];
}

function recorded(name: string): RunningStack {
  const text = readFileSync(new URL(`${name}/want.json`, folder), "utf8");
  const { networks, configs, services } = JSON.parse(text) as Recorded;
  return {
    name: "shop",
    services,
    networks: networks.map(
      ({ Name, Driver, Labels, Options, Internal, Attachable, IPAM }): NetworkOfCluster => ({
        id: Name,
        name: Name,
        driver: Driver,
        labels: Labels,
        options: Options ?? {},
        internal: Internal,
        attachable: Attachable,
        subnets: (IPAM?.Config ?? []).map(({ Subnet }) => Subnet),
      }),
    ),
    configs: configs.map(({ Name, Labels, Data, Templating }) => ({
      name: Name,
      labels: Labels,
      data: Buffer.from(Data, "base64"),
      template: Templating?.Name,
    })),
  };
}

/** What the docker client sent for a stack file, written as a file and read again, is the same. */
for (const name of readdirSync(folder)) {
  test(`writeStack() gives a file that means the same: ${name}`, () => {
    const stack = recorded(name);
    const { text, files, notes } = writeStack(stack);
    assert.deepEqual(
      notes.filter((note) => !/^secret .* must be there before$/.test(note)),
      [],
      text,
    );
    const again = readStack([{ name: "s.yml", text }], {
      projectName: "shop",
      environment: {},
      workingDir: "/w",
      readFile: (path) => files.get(path.slice("/w/".length)),
    });
    assert.ok(again.ok, JSON.stringify(again));
    const { stack: found } = again;
    const wanted = JSON.parse(
      readFileSync(new URL(`${name}/want.json`, folder), "utf8"),
    ) as Recorded;
    const bodies = (all: readonly { readonly body: object }[]): unknown =>
      essence(all.map(({ body }) => body));
    // The driver of IPAM is the cluster's own.
    const network = (one: object): object => ({
      ...one,
      IPAM: { ...(one as never as Recorded["networks"][0]).IPAM, Driver: "" },
    });
    assert.deepEqual(
      essence(found.networks.map(({ body }) => network(body))),
      essence(wanted.networks.map(network)),
    );
    const usedConfigs = new Set(
      stack.services.flatMap(({ TaskTemplate }) =>
        (TaskTemplate.ContainerSpec.Configs ?? []).map(({ ConfigName }) => ConfigName),
      ),
    );
    assert.deepEqual(
      bodies(found.configs),
      essence(wanted.configs.filter(({ Name }) => usedConfigs.has(Name))),
    );
    assert.equal(writeStack(stack).text, text);
  });
}

function aSpec(container: object, more: object = {}): ServiceSpec {
  return {
    Name: "web",
    TaskTemplate: { ContainerSpec: { Image: "nginx:1", ...container }, ...more },
    Mode: { Replicated: { Replicas: 0 } },
  } as ServiceSpec;
}

function written(spec: ServiceSpec): ReturnType<typeof writeStack> {
  return writeStack({ name: "loose", services: [spec], networks: [], configs: [] });
}

test("a service of no stack gets the stack's name, and the file says so", () => {
  const { text, notes } = written(aSpec({ Env: ["PRICE=$5", "N=\n"] }));
  assert.match(text, /PRICE=\$\$5/);
  assert.match(text, /replicas: 0/);
  assert.deepEqual(notes, [
    "service web becomes loose_web",
    "service web joins the network loose_default",
  ]);
});

test("what a stack file cannot say is told with its path", () => {
  const cases: readonly (readonly [object, object, string])[] = [
    [{ Privileges: { SELinuxContext: { Disable: true } } }, {}, "ContainerSpec.Privileges"],
    [{ Privileges: { NoNewPrivileges: true } }, {}, "ContainerSpec.Privileges"],
    [
      { Mounts: [{ Type: "tmpfs", Target: "/t", TmpfsOptions: { Options: [["exec"]] } }] },
      {},
      "ContainerSpec.Mounts",
    ],
    [
      {},
      {
        Resources: {
          Reservations: { GenericResources: [{ NamedResourceSpec: { Kind: "gpu", Value: "a" } }] },
        },
      },
      "Resources",
    ],
  ];
  for (const [container, more, path] of cases) {
    const { notes } = written(aSpec(container, more));
    assert.ok(
      notes.some((note) => note.includes(`cannot say TaskTemplate.${path}`)),
      `${path}: ${notes}`,
    );
  }
});

test("secrets are external, and must be there before", () => {
  const File = { Name: "token", UID: "0", GID: "0", Mode: 0o400 };
  const { text, notes } = written(
    aSpec({ Secrets: [{ File, SecretID: "x", SecretName: "token" }] }),
  );
  assert.match(text, /secrets:\n {2}token:\n {4}external: true/);
  assert.match(text, /mode: "0400"/);
  assert.ok(notes.includes("secret token must be there before"));
  assert.ok(!notes.some((note) => note.includes("Secrets")));
});

test("differences() finds each path, and only where something is different", () => {
  const one = essence({ a: { b: 1, c: [], d: [0, ""] }, e: null });
  assert.deepEqual(differences(one, essence({ a: { b: 1, d: [0, ""] } })), []);
  assert.deepEqual(differences(one, essence({ a: { b: 2 }, f: true })), ["a.b", "a.d", "f"]);
  assert.deepEqual(differences(essence({ x: { b: 1, a: 2 } }), essence({ x: { a: 2, b: 1 } })), []);
});
