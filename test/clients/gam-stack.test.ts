// biome-ignore-all lint/suspicious/noTemplateCurlyInString: stack files hold variables.
/** The gam command's stacks against the API, beside the docker client: a fake cluster and a fake engine behind it. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Rig } from "@gam/api/testing";
import { missingDocker } from "./support/docker-at-rig.ts";
import { type Ran, runProgram } from "./support/run-program.ts";

const skip = missingDocker();
const gamMain = fileURLToPath(new URL("../../packages/cli/src/main.ts", import.meta.url));
const commandMsMax = 30_000;
let rig: Rig;
let folder: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "gam-stacks-"));
  rig = await Rig.start(3);
});
after(async () => {
  await rig.stop();
  rmSync(folder, { recursive: true });
});

function start(file: string, args: readonly string[], input = ""): Promise<Ran> {
  const env = { GAM_SOCKET: rig.socketPath, NO_COLOR: "1" };
  return runProgram(file, args, { input, withinMs: commandMsMax, env, cwd: folder });
}

const gam = (args: readonly string[], input = ""): Promise<Ran> =>
  start(process.execPath, [gamMain, "stack", ...args], input);

/** The output of a command that must succeed. */
async function run(...args: string[]): Promise<string> {
  const { code, out, err } = await gam(args);
  assert.equal(code, 0, `gam stack ${args.join(" ")}: ${out}${err}`);
  return out.trim();
}

async function docker(...args: string[]): Promise<string> {
  const all = ["--config", folder, "-H", `unix://${rig.socketPath}`, ...args];
  const { code, out, err } = await start("docker", all);
  assert.equal(code, 0, `docker ${args.join(" ")}: ${err}`);
  return out.trim();
}

const shop = `
services:
  web:
    image: tiny:1
    ports: ["8080:80"]
    networks: [front]
    restart: on-failure
    secrets: [key]
    configs: [{source: conf, target: /etc/conf, mode: 0440}]
    volumes: ["data:/data"]
    deploy: {replicas: 2, update_config: {monitor: 10ms}}
  agent: {image: tiny:1, deploy: {mode: global, update_config: {monitor: 10ms}}}
networks: {front: {ipam: {config: [{subnet: 10.77.0.0/24}]}}}
volumes: {data: {name: "\${UNSET:-}"}}
secrets: {key: {file: key.txt}}
configs: {conf: {file: conf.txt, name: conf-v1}}
`;
const quick = ["--resolve-image", "never"];

test("gam stack deploys a stack, waits for it, and shows it as the docker client does", {
  skip,
}, async () => {
  writeFileSync(join(folder, "shop.yml"), shop);
  writeFileSync(join(folder, "key.txt"), "hunter2");
  writeFileSync(join(folder, "conf.txt"), "a=1");
  const said = await run("deploy", ...quick, "-c", "shop.yml", "shop");
  assert.match(said, /^Creating network shop_default\nCreating network shop_front\n/);
  assert.match(said, /Creating secret shop_key\nCreating config conf-v1\n/);
  assert.match(said, /shop_agent: 3\/3, all tasks run/);
  assert.match(said, /Stack shop runs: 2 services converged$/);
  const plain = (text: string): string => text.replace(/ +/g, " ").replace(/ $/gm, "");
  for (const words of [["ls"], ["services", "shop"]]) {
    assert.equal(plain(await run(...words)), plain(await docker("stack", ...words)));
  }
  const names = (text: string): string[] =>
    text.split("\n").map((line) => line.split(/ {2,}/).slice(0, 5).join(" "));
  assert.deepEqual(names(await run("ps", "shop")), names(await docker("stack", "ps", "shop")));
});

test("a change of client replaces no task", { skip }, async () => {
  const tasks = (): Promise<string> => docker("stack", "ps", "shop", "--no-trunc", "-q");
  const before = await tasks();
  await docker("stack", "deploy", ...quick, "-c", "shop.yml", "shop");
  assert.equal(await tasks(), before);
  await run("deploy", "--detach", ...quick, "-c", "shop.yml", "shop");
  assert.equal(await tasks(), before);
});

test("gam stack deploy rolls the service of a changed secret, from standard input", {
  skip,
}, async () => {
  writeFileSync(join(folder, "key.txt"), "hunter3");
  const { code, out, err } = await gam(["deploy", ...quick, "-c", "-", "shop"], shop);
  assert.equal(code, 0, out + err);
  const states = await docker("stack", "ps", "shop", "--format", "{{.Name}} {{.DesiredState}}");
  const count = (line: string): number => states.split("\n").filter((one) => one === line).length;
  assert.equal(count("shop_web.1 Running"), 1);
  assert.equal(count("shop_web.1 Shutdown"), 1);
  assert.equal(count("shop_web.2 Shutdown"), 1);
});

test("gam stack deploy prunes, and rm leaves nothing over", { skip }, async () => {
  writeFileSync(join(folder, "less.yml"), "services: {agent: {image: tiny:1}}\n");
  const refused = await gam(["deploy", ...quick, "-c", "less.yml", "shop"]);
  assert.match(refused.err, /service "shop_agent" is Global and cannot become Replicated/);
  assert.equal(refused.code, 1);
  writeFileSync(
    join(folder, "less.yml"),
    "services: {agent: {image: tiny:1, deploy: {mode: global}}}\n",
  );
  assert.match(
    await run("deploy", "-d", "--prune", ...quick, "-c", "less.yml", "shop"),
    /^Removing service shop_web\n/,
  );
  assert.equal(await docker("service", "ls", "--format", "{{.Name}}"), "shop_agent");
  await run("rm", "shop");
  assert.equal(await docker("service", "ls", "-q"), "");
  assert.equal(await docker("secret", "ls", "-q"), "");
  assert.equal(await docker("config", "ls", "-q"), "");
  assert.equal(await docker("network", "ls", "--format", "{{.Name}}"), "ingress");
});

test("gam stack deploy leaves nothing behind when something is wrong", { skip }, async () => {
  await docker("service", "create", "-d", "--name", "holder", "-p", "9000:90", "tiny:1");
  const text = `
services:
  a: {image: "reg/\${UNSET}:1", networks: [front]}
  b: {image: tiny:1, ports: ["9000:80"], secrets: [ext]}
networks: {front: {}}
secrets: {ext: {external: true}}
`;
  writeFileSync(join(folder, "bad.yml"), text);
  const first = await gam(["deploy", ...quick, "-c", "bad.yml", "bad"]);
  assert.equal(first.code, 1);
  assert.match(first.err, /error: bad\.yml:3:14: image "reg\/:1" is not valid: variable "UNSET"/);
  writeFileSync(join(folder, "bad.yml"), text.replace("reg/${UNSET}:1", "tiny:1"));
  const second = await gam(["deploy", ...quick, "-c", "bad.yml", "bad"]);
  assert.equal(second.code, 1);
  assert.match(second.err, /error: bad\.yml:4:52: external secret "ext" does not exist/);
  assert.match(
    second.err,
    /error: bad\.yml:4:6: port 9000\/tcp is already in use by service "holder"/,
  );
  assert.equal(await docker("network", "ls", "--format", "{{.Name}}"), "ingress");
  assert.equal(await docker("service", "ls", "--format", "{{.Name}}"), "holder");
});
