/** What services are made of, by the real docker client: secrets, configs, templates and generic resources. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DockerAtRig, missingDocker } from "./support/docker-at-rig.ts";

const skip = missingDocker();
let at: DockerAtRig;
let folder: string;

before(async () => {
  at = await DockerAtRig.start();
  ({ folder } = at);
});
after(() => at.stop());

const docker: DockerAtRig["docker"] = (...words) => at.docker(...words);
const run: DockerAtRig["run"] = (...words) => at.run(...words);
const fails: DockerAtRig["fails"] = (...words) => at.fails(...words);

for (const kind of ["secret", "config"] as const) {
  test(`${kind} create, ls, inspect and rm, and its use in services`, { skip }, async () => {
    const name = `db.${kind}_1`;
    const made = await docker([kind, "create", "-l", "a=1", name, "-"], "value of one");
    assert.match(made.out, /^[0-9a-z]{25}\n$/, made.err);
    const again = await docker([kind, "create", name, "-"], "x");
    const taken = `code = AlreadyExists desc = ${kind} ${name} already exists`;
    assert.ok(again.err.includes(taken), again.err);
    const bad = await docker([kind, "create", "bad name", "-"], "x");
    assert.match(bad.err, /invalid name, only 64 \[a-zA-Z0-9-_.\] characters allowed/);
    const templated = [kind, "create", "--template-driver", "golang", `t.${kind}`, "-"];
    assert.equal((await docker(templated, "{{.Node.Hostname}}")).code, 0);

    assert.equal(await run(kind, "ls", "--filter", "label=a=1", "--format", "{{.Name}}"), name);
    const pretty = await run(kind, "inspect", "--pretty", name);
    assert.match(pretty, /^ - a=1$/m);
    assert.equal(pretty.includes("value of one"), kind === "config", pretty);
    assert.match(await fails(kind, "ls", "--filter", "bogus=1"), /Invalid filter 'bogus'$/);
    assert.match(await fails(kind, "inspect", "nosuch"), new RegExp(`${kind} nosuch not found$`));

    const user = `uses-${kind}`;
    const mount = [`--${kind}`, `source=${name},target=/etc/x,mode=0400`];
    await run("service", "create", "-d", "--name", user, ...mount, "tiny:1");
    const refused = `${kind} '${name}' is in use by the following service: ${user}`;
    assert.ok((await fails(kind, "rm", name)).endsWith(refused));
    await run("service", "update", "-d", `--${kind}-rm`, name, user);
    assert.equal(await run(kind, "rm", name, `t.${kind}`), `${name}\nt.${kind}`);
    assert.match(
      await fails("service", "create", "-d", `--${kind}`, "nosuch", "tiny:1"),
      new RegExp(`${kind} not found: nosuch$`),
    );
    await run("service", "rm", user);
  });
}

test("secret create --driver is refused with the reason", { skip }, async () => {
  assert.match(
    await fails("secret", "create", "-d", "vault", "sd"),
    /plugin "vault" not found: gam calls no plugins for secrets/,
  );
});

test("stack deploy with a changed file replaces tasks, and without a change none", {
  skip,
}, async () => {
  const [data, conf, stack] = ["pw.txt", "app.conf", "files.yml"].map((name) => join(folder, name));
  assert.ok(data && conf && stack);
  writeFileSync(data, "hunter2");
  writeFileSync(conf, "listen 80");
  writeFileSync(
    stack,
    `version: "3.8"
services:
  db: {image: "tiny:1", secrets: [pw]}
  web: {image: "tiny:1", configs: [{source: conf, target: /etc/app.conf}]}
secrets: {pw: {file: ${data}}}
configs: {conf: {file: ${conf}}}
`,
  );
  const deploy = (): Promise<string> => run("stack", "deploy", "-c", stack, "files");
  const tasks = async (service: string): Promise<string> =>
    await run("service", "ps", "-q", "--filter", "desired-state=running", `files_${service}`);
  await deploy();
  const before = [await tasks("db"), await tasks("web")];
  await deploy();
  assert.deepEqual([await tasks("db"), await tasks("web")], before);

  writeFileSync(data, "hunter3");
  await deploy();
  assert.notEqual(await tasks("db"), before[0]);
  assert.equal(await tasks("web"), before[1]);
  writeFileSync(conf, "listen 81");
  await deploy();
  assert.notEqual(await tasks("web"), before[1]);
  const shown = await run("config", "inspect", "--pretty", "files_conf");
  assert.match(shown, /listen 81/);
  await run("stack", "rm", "files");
  assert.equal(await run("secret", "ls", "-q", "--filter", "name=files_"), "");
});

test("templates are Go's, and a bad one is refused in Swarm's words", { skip }, async () => {
  const create = (...more: string[]): string[] => [
    "service",
    "create",
    "--detach",
    "--no-resolve-image",
    ...more,
    "tiny:1",
  ];
  const good = [
    ["--hostname", '{{printf "%s-%s" .Service.Name .Task.Slot}}'],
    ["--env", "L={{range $k, $v := .Service.Labels}}{{$k}}={{$v}};{{end}}"],
    ["--env", "APP={{.Service.Labels.app}}", "--label", "app=x"],
    ["--mount", "source=v-{{.Task.Slot}},target=/v,volume-label=of={{.Service.Name}}"],
  ];
  await run(...create("--name", "templated", ...good.flat()));
  const at = 'executing "expansion" at <.Bogus>: can\'t evaluate field Bogus';
  const problem = `template: expansion:1:2: ${at} in type *template.Context`;
  const bad: readonly (readonly [flags: readonly string[], what: string])[] = [
    [["--hostname", "{{.Bogus}}"], `expanding hostname failed: ${problem}`],
    [["--env", "X={{.Bogus}}"], `expanding env failed: expanding env "X={{.Bogus}}": ${problem}`],
    [
      ["--mount", "source={{.Bogus}},target=/v"],
      `expanding mounts failed: expanding mount source "{{.Bogus}}": ${problem}`,
    ],
    [
      ["--hostname", "{{if}}"],
      "expanding hostname failed: template: expansion:1: missing value for if",
    ],
  ];
  for (const [flags, what] of bad) {
    const prefix = "Error response from daemon: rpc error: code = InvalidArgument desc =";
    assert.equal(await fails(...create("--name", "bad", ...flags)), `${prefix} ${what}`);
  }
  await run("service", "rm", "templated");
});

test("generic resources are shown, and reserved by number", { skip }, async () => {
  const flags = [
    "--generic-resource",
    "gpu=2",
    "--replicas",
    "0",
    "--no-resolve-image",
    "--detach",
  ];
  await run("service", "create", "--name", "gpus", ...flags, "tiny:1");
  const format =
    "{{range .Spec.TaskTemplate.Resources.Reservations.GenericResources}}{{.DiscreteResourceSpec}}{{end}}";
  assert.equal(await run("service", "inspect", "--format", format, "gpus"), "{gpu 2}");
  await run("service", "rm", "gpus");
});
