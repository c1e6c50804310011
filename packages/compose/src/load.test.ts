import assert from "node:assert/strict";
import { test } from "node:test";
import { readStack, type StackResult } from "./read-stack.ts";
import { showProblem } from "./reading/problem.ts";
import type { StackService } from "./spec.ts";

type Files = Readonly<Record<string, string>>;

/** Reads the files whose names begin with a number; the others are there to be included. */
function read(files: Files, environment = {}): StackResult {
  return readStack(
    Object.entries(files)
      .filter(([name]) => /^\d/.test(name))
      .map(([name, text]) => ({ name, text })),
    {
      projectName: "shop",
      environment: { HOME: "/root", ...environment },
      workingDir: "/srv",
      readFile: (path) => {
        const text = files[path.replace("/srv/", "")];
        return text === undefined ? undefined : new TextEncoder().encode(text);
      },
    },
  );
}

function services(files: Files, environment = {}): readonly StackService[] {
  const result = read(files, environment);
  assert.ok(result.ok, JSON.stringify(result));
  return result.stack.services;
}

function errors(files: Files): string[] {
  const result = read(files);
  return result.ok ? [] : result.errors.map(showProblem);
}

test("extends takes a service of the same file and of another one", () => {
  const found = services({
    "1.yml": `
services:
  web: {extends: {file: sub/common.yml, service: base}, image: web, environment: {B: 2}}
  api: {extends: web, image: api, command: [c]}
networks: {back: {}}
`,
    "sub/common.yml": `
services:
  base: {extends: {service: root}, environment: {A: 1, B: 1}, command: [a, b]}
  root: {image: none, volumes: ["./data:/data"], networks: [back], cap_add: [CHOWN]}
  other: {image: "\${NEVER:?read}"}
`,
  });
  const [api, web] = found.map(({ spec }) => spec.TaskTemplate);
  assert.deepEqual(web?.ContainerSpec.Env, ["A=1", "B=2"]);
  assert.deepEqual(web?.ContainerSpec.Args, ["a", "b"]);
  assert.equal(web?.ContainerSpec.Mounts?.[0]?.Source, "/srv/sub/data");
  assert.deepEqual(web?.Networks, [{ Target: "shop_back", Aliases: ["web"] }]);
  assert.deepEqual(api?.ContainerSpec.Args, ["c"]);
  assert.equal(api?.ContainerSpec.Image, "api:latest");
  assert.deepEqual(api?.ContainerSpec.CapabilityAdd, ["CAP_CHOWN"]);
});

test("extends names what is wrong with it", () => {
  const text = `
services:
  a: {extends: b, image: x}
  b: {extends: a, image: x}
  c: {extends: nosuch, image: x}
  d: {extends: {file: none.yml, service: x}, image: x}
  e: {extends: {file: other.yml, service: y}, image: x}
  f: {extends: {file: other.yml}, image: x}
`;
  assert.deepEqual(errors({ "1.yml": text, "other.yml": "services: {x: {image: x}}" }), [
    '1.yml:3:16: found service "a", which extends itself: remove one "extends"',
    '1.yml:4:16: found service "b", which extends itself: remove one "extends"',
    '1.yml:5:16: found no service "nosuch" in 1.yml to extend',
    '1.yml:6:16: found no file "none.yml": create it, or correct the path',
    '1.yml:7:16: found no service "y" in other.yml to extend',
    '1.yml:8:16: found "extends" without "service": add the name',
  ]);
});

test("include adds services and objects, with paths and variables of its own", () => {
  const found = services(
    {
      "1.yml": `
include:
  - sub/one.yml
  - {path: [sub/two.yml, sub/two-more.yml], project_directory: ., env_file: sub/two.env}
services: {web: {image: web, networks: [back], secrets: [key]}}
`,
      "sub/one.yml": `
services: {one: {image: "one:\${TAG}", volumes: ["./x:/x"], env_file: one.env}}
networks: {back: {name: the-back}}
secrets: {key: {file: key.txt}}
`,
      "sub/one.env": "A=1\n",
      "sub/key.txt": "k",
      "sub/two.yml": `services: {two: {image: "two:\${V}-\${TAG}", volumes: ["./x:/x"]}}`,
      "sub/two-more.yml": "services: {two: {tty: true}}",
      "sub/two.env": "V=7\nTAG=no\n",
    },
    { TAG: "2" },
  );
  const [one, two, web] = found.map(({ spec }) => spec.TaskTemplate);
  assert.equal(one?.ContainerSpec.Image, "one:2");
  assert.deepEqual(one?.ContainerSpec.Env, ["A=1"]);
  assert.equal(one?.ContainerSpec.Mounts?.[0]?.Source, "/srv/sub/x");
  assert.equal(two?.ContainerSpec.Image, "two:7-2");
  assert.equal(two?.ContainerSpec.Mounts?.[0]?.Source, "/srv/x");
  assert.equal(two?.ContainerSpec.TTY, true);
  assert.equal(web?.Networks?.[0]?.Target, "the-back");
  assert.equal(found[2]?.secrets[0]?.name, "shop_key");
});

test("include names what is wrong with it", () => {
  const files = {
    "1.yml": "include: [a.yml, none.yml, {env_file: x}]\nservices: {web: {image: x}}\n",
    "a.yml": "include: [b.yml]\nservices: {web: {image: y}}\n",
    "b.yml": "include:\n  - a.yml\n",
  };
  assert.deepEqual(errors(files), [
    'b.yml:2:5: found the file "a.yml", which includes itself: remove one include',
    '1.yml:1:18: found no file "none.yml": create it, or correct the path',
    '1.yml:1:28: found an include without "path": add it',
    '1.yml:2:17: service "web" is also in a.yml:2: rename one of them',
  ]);
});

test("!reset and !override remove what files before say", () => {
  const [web] = services({
    "1.yml": `
services:
  web:
    image: web
    ports: ["80:80"]
    environment: {A: 1, B: 2}
    dns: [1.1.1.1]
    command: [a]
    deploy: {replicas: 2, resources: {limits: {memory: 64M}}}
`,
    "2.yml": `
services:
  web:
    ports: !override ["81:80"]
    environment: {A: !reset null}
    dns: !reset []
    deploy:
      resources: !reset
`,
  });
  assert.ok(web);
  const { EndpointSpec, TaskTemplate } = web.spec;
  assert.deepEqual(
    EndpointSpec?.Ports?.map(({ PublishedPort }) => PublishedPort),
    [81],
  );
  assert.deepEqual(TaskTemplate.ContainerSpec.Env, ["B=2"]);
  assert.equal(TaskTemplate.ContainerSpec.DNSConfig, undefined);
  assert.deepEqual(TaskTemplate.Resources, {});
  assert.deepEqual(TaskTemplate.ContainerSpec.Args, ["a"]);
});

test("tags are refused inside of lists, and other tags everywhere", () => {
  assert.deepEqual(
    errors({ "1.yml": "services:\n  a: {image: x, dns: [!reset 1.1.1.1], user: !secret x}\n" }),
    [
      "1.yml:2:30: found a tag inside of a list: write !reset or !override at a key",
      '1.yml:2:54: tag "!secret" is not supported: remove it',
    ],
  );
});
