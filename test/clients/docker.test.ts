/** The real docker client, unmodified, against the API: a fake cluster and a fake engine behind it. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Rig } from "@gam/api/testing";
import { rootCertificatePem } from "@gam/core";
import { json } from "@gam/engine/testing";
import { DockerAtRig, missingDocker } from "./support/docker-at-rig.ts";
import type { Ran } from "./support/run-program.ts";

const skip = missingDocker();
let at: DockerAtRig;
let rig: Rig;
let folder: string;

before(async () => {
  at = await DockerAtRig.start();
  ({ rig, folder } = at);
});
after(() => at.stop());

const docker: DockerAtRig["docker"] = (...words) => at.docker(...words);
const run: DockerAtRig["run"] = (...words) => at.run(...words);
const fails: DockerAtRig["fails"] = (...words) => at.fails(...words);

test("version and info show the engine's values, and gam's swarm", { skip }, async () => {
  const version = await run("version", "--format", "{{.Server.Version}} {{.Server.APIVersion}}");
  assert.equal(version, "20.10.24 1.44");
  const info = await run(
    "info",
    "--format",
    "{{.Name}} {{.Swarm.LocalNodeState}} {{.Swarm.Nodes}}",
  );
  assert.equal(info, "host1 active 3");
  assert.match(await run("info"), /Swarm: active\n +NodeID: aaa0/);
  assert.match(await run("info"), /overlay-encryption\n +Profile: none\n/);
});

test("node ls, inspect, update and rm", { skip }, async () => {
  const format = "{{.Hostname}} {{.Self}} {{.Status}} {{.Availability}} {{.ManagerStatus}}";
  assert.equal(
    await run("node", "ls", "--format", format),
    "host1 true Ready Active Leader\nhost2 false Ready Active Reachable\nhost3 false Ready Active Reachable",
  );
  assert.match(await run("node", "inspect", "--pretty", "self"), /Hostname: +\thost1\n/);
  await run("node", "update", "--label-add", "zone=a", "--availability", "drain", "host2");
  const spec = await run("node", "inspect", "host2", "--format", "{{json .Spec}}");
  assert.deepEqual(JSON.parse(spec), {
    Labels: { zone: "a" },
    Role: "manager",
    Availability: "drain",
  });
  assert.equal(
    await run("node", "ls", "-q", "--filter", "node.label=zone=a"),
    "bbb0000000000000000000000",
  );
  await run("node", "update", "--label-rm", "zone", "--availability", "active", "host2");
  assert.match(
    await fails("node", "rm", "host2"),
    /is a cluster manager .* It must be demoted to worker before removal$/,
  );
  await run("node", "demote", "host2");
  assert.match(await fails("node", "rm", "host2"), /is not down and can't be removed$/);
  await run("node", "promote", "host2");
  assert.match(await fails("node", "inspect", "nosuch"), /node nosuch not found$/);
  assert.equal(await run("node", "ps", "host2", "--format", "{{.Name}}"), "");
});

test("service create waits until its tasks run, and update, scale and rollback do", {
  skip,
}, async () => {
  const created = await run(
    ...["service", "create", "--name", "web", "--replicas", "3", "--update-monitor", "10ms"],
    ...["--env", "A=1", "--publish", "8080:80", "--label", "tier=front", "tiny:1"],
  );
  assert.match(created, /verify: Service \w+ converged/);
  const listed = await run(
    "service",
    "ls",
    "--format",
    "{{.Name}} {{.Mode}} {{.Replicas}} {{.Image}}",
  );
  assert.equal(listed, "web replicated 3/3 tiny:1");
  const image = await run(
    "service",
    "inspect",
    "web",
    "--format",
    "{{.Spec.TaskTemplate.ContainerSpec.Image}}",
  );
  assert.equal(image, `tiny:1@sha256:${"4".repeat(64)}`);
  const places = await run(
    "service",
    "ps",
    "web",
    "--format",
    "{{.Name}} {{.Node}} {{.DesiredState}}",
  );
  assert.equal(places, "web.1 host1 Running\nweb.2 host2 Running\nweb.3 host3 Running");

  assert.match(await run("service", "scale", "web=2"), /verify: Service web converged/);
  assert.match(await run("service", "update", "--force", "--env-add", "B=2", "web"), /converged/);
  // The client adds variables in a random order.
  const environment = async (): Promise<string[]> => {
    const format = "{{json .Spec.TaskTemplate.ContainerSpec.Env}}";
    return JSON.parse(await run("service", "inspect", "web", "--format", format)).sort();
  };
  assert.deepEqual(await environment(), ["A=1", "B=2"]);
  await run("service", "rollback", "-d", "web");
  assert.deepEqual(await environment(), ["A=1"]);
  assert.match(await run("service", "inspect", "--pretty", "web"), /Replicas:\t2\n/);

  const second = ["service", "create", "-d", "--no-resolve-image"];
  assert.match(await fails(...second, "--name", "web", "tiny:1"), /service web already exists$/);
  assert.match(
    await fails(...second, "--publish", "8080:81", "tiny:1"),
    /port '8080' is already in use by service 'web' \(\w+\) as an ingress port$/,
  );
  assert.match(await fails("secret", "create", "s", "/dev/null"), /./);
  assert.equal(await run("service", "rm", "web"), "web");
  assert.match(await fails("service", "ps", "web"), /no such service: web$/);
});

test("service logs have the names of their tasks", { skip }, async () => {
  const id = await run("service", "create", "-d", "-q", "--name", "talk", "tiny:1");
  const [task] = rig.door.store.tasksOf(id as never);
  assert.ok(task);
  const line = "2026-11-20T12:00:00.000000000Z  hello\n";
  const frame = Buffer.from(`\x01\0\0\0\0\0\0${String.fromCharCode(line.length)}${line}`, "latin1");
  const { ContainerID } = task.Status.ContainerStatus ?? {};
  rig.engine.on(`GET /containers/${ContainerID}/logs`, (_call, answer) => answer.end(frame));
  assert.equal(
    await run("service", "logs", "talk"),
    `talk.1.${task.ID.slice(0, 12)}@host1    | hello`,
  );
  await run("service", "rm", "talk");
});

const web = `
services:
  web:
    image: tiny:1
    networks: [front]
    deploy:
      replicas: 2
      update_config: { monitor: 10ms }
`;
const agent = `
  agent:
    image: tiny:1
    deploy: { mode: global, update_config: { monitor: 10ms } }
`;
const networks = `
networks:
  front: {}
`;

test("stack deploy, ls, services, ps and rm", { skip }, async () => {
  const file = join(folder, "shop.yml");
  writeFileSync(file, web + agent + networks);
  await run("stack", "deploy", "--detach=false", "-c", file, "shop");
  assert.equal(await run("stack", "ls", "--format", "{{.Name}} {{.Services}}"), "shop 2");
  assert.equal(
    await run("stack", "services", "shop", "--format", "{{.Name}} {{.Mode}} {{.Replicas}}"),
    "shop_agent global 3/3\nshop_web replicated 2/2",
  );
  const tasks = (): Promise<string> => run("stack", "ps", "shop", "--no-trunc", "-q");
  const before = await tasks();
  assert.equal(before.split("\n").length, 5);
  // The same file again changes no task, although the client sends everything again.
  await run("stack", "deploy", "--detach=true", "-c", file, "shop");
  assert.equal(await tasks(), before);

  writeFileSync(file, web + networks);
  await run("stack", "deploy", "--detach=true", "--prune", "-c", file, "shop");
  assert.equal(await run("stack", "ls", "--format", "{{.Name}} {{.Services}}"), "shop 1");
  await run("stack", "rm", "--detach=false", "shop");
  assert.equal(await run("stack", "ls", "--format", "{{.Name}}"), "");
  assert.equal(await run("network", "ls", "--format", "{{.Name}}"), "ingress");
});

test("network create, ls, inspect and rm", { skip }, async () => {
  const id = await run(
    "network",
    "create",
    "-d",
    "overlay",
    "--attachable",
    "--label",
    "a=b",
    "back",
  );
  const listed = await run(
    "network",
    "ls",
    "--filter",
    "scope=swarm",
    "--filter",
    "name=back",
    "--format",
    "{{.ID}} {{.Name}} {{.Driver}} {{.Scope}}",
  );
  assert.equal(listed, `${id.slice(0, 12)} back overlay swarm`);
  const seen = await run(
    "network",
    "inspect",
    "back",
    "--format",
    "{{.Id}} {{.Attachable}} {{.Labels.a}}",
  );
  assert.equal(seen, `${id} true b`);
  assert.match(await fails("network", "create", "-d", "overlay", "back"), /already exists$/);
  await run(
    "service",
    "create",
    "-d",
    "--name",
    "user",
    "--network",
    "back",
    "--network",
    "host",
    "tiny:1",
  );
  assert.match(await fails("network", "rm", "back"), /is in use by service/);
  await run("service", "rm", "user");
  assert.equal(await run("network", "rm", "back"), "back");
});

const overlay = ["network", "create", "-d", "overlay"];

test("network create accepts what Swarm accepts, and names what it cannot do", {
  skip,
}, async () => {
  const asked = [
    "--subnet",
    "10.99.0.0/24",
    "--gateway",
    "10.99.0.1",
    "--ip-range",
    "10.99.0.128/25",
  ];
  const mtu = ["--opt", "com.docker.network.driver.mtu=1400"];
  await run(...overlay, "--scope", "swarm", "--internal", ...asked, ...mtu, "asked");
  const shown = await run("network", "inspect", "asked");
  const [{ IPAM, Internal, Options, Scope }] = JSON.parse(shown);
  assert.deepEqual(IPAM.Config, [
    { Subnet: "10.99.0.0/24", Gateway: "10.99.0.1", IPRange: "10.99.0.128/25" },
  ]);
  assert.deepEqual([Internal, Scope], [true, "swarm"]);
  assert.equal(Options["com.docker.network.driver.mtu"], "1400");
  for (const [args, why] of [
    [
      ["--subnet", "10.99.0.0/25", "x"],
      /subnet 10\.99\.0\.0\/25 overlaps 10\.99\.0\.0\/24 of network "asked"$/,
    ],
    [["--subnet", "10.98.0.0/30", "x"], /a prefix is from \/8 to \/29$/],
    [["--subnet", "10.97.0.0/24", "--subnet", "10.98.0.0/24", "x"], /has one subnet/],
    [["--ipv6", "--subnet", "fd00:99::/64", "x"], /IPv4 addresses only/],
    [["--opt", "encrypted", "x"], /no node can encrypt; it takes WireGuard/],
    [["--ingress", "x"], /AlreadyExists desc = ingress network \(\w+\) is already present$/],
    [["ingress"], /operation is not permitted on predefined ingress network$/],
    [["bad/name"], /name must be valid as a DNS name component$/],
  ] as const) {
    assert.match(await fails(...overlay, ...args), why);
  }
  await run("network", "rm", "asked");
});

test("services join and leave networks, and show where they are", { skip }, async () => {
  await run(...overlay, "near");
  await run(...overlay, "far");
  const detached = ["-d", "--no-resolve-image"];
  const create = ["service", "create", ...detached, "--name", "web", "--replicas", "2"];
  await run(...create, "--network", "name=near,alias=www", "--publish", "8080:80", "tiny:1");
  const targets = async (): Promise<string> => {
    const format = "{{range .Spec.TaskTemplate.Networks}}{{.Target}} {{.Aliases}} {{end}}";
    return await run("service", "inspect", "web", "--format", format);
  };
  const id = async (name: string): Promise<string> =>
    await run("network", "inspect", name, "--format", "{{.Id}}");
  const [near, far] = [await id("near"), await id("far")];
  assert.equal(await targets(), `${near} [www]`);
  const [verbose] = JSON.parse(await run("network", "inspect", "--verbose", "near"));
  const vip = await run(
    "service",
    "inspect",
    "web",
    "--format",
    // The first one is in the ingress network.
    "{{(index .Endpoint.VirtualIPs 1).Addr}}",
  );
  assert.equal(vip, `${verbose.Services.web.VIP}/24`);
  assert.deepEqual(
    verbose.Services.web.Tasks.map((task: { Info: object }) => task.Info),
    [{ "Host IP": "10.88.0.1" }, { "Host IP": "10.88.0.2" }],
  );
  await run("service", "update", "-d", "--network-add", "far", "--network-rm", "near", "web");
  assert.equal(await targets(), `${far} []`);
  await run("service", "update", "-d", "--publish-add", "8081:81", "--publish-rm", "80", "web");
  const ports = await run(
    "service",
    "inspect",
    "web",
    "--format",
    "{{json .Spec.EndpointSpec.Ports}}",
  );
  assert.deepEqual(
    JSON.parse(ports).map((port: { PublishedPort: number }) => port.PublishedPort),
    [8081],
  );
  const second = ["service", "create", ...detached, "--name", "two"];
  assert.match(
    await fails(...second, "--publish", "mode=host,target=1,published=8081", "tiny:1"),
    /port '8081' is already in use by service 'web' \(\w+\) as an ingress port$/,
  );
  assert.match(
    await fails(...second, "--endpoint-mode", "dnsrr", "--publish", "8082:1", "tiny:1"),
    /port published with ingress mode can't be used with dnsrr mode$/,
  );
  assert.match(await fails(...second, "--network", "ingress", "tiny:1"), /explicitly attached/);
  assert.match(await fails("network", "rm", "far"), /is in use by service/);
  await run(...second, "--endpoint-mode", "dnsrr", "--network", "near", "tiny:1");
  const [{ Services }] = JSON.parse(await run("network", "inspect", "--verbose", "near"));
  assert.equal(Services.two.VIP, "<nil>");
  await run("service", "rm", "web", "two");
  assert.equal(await run("network", "rm", "near", "far"), "near\nfar");
});

test("a plain container is run in an attachable network, and in no other", { skip }, async () => {
  await run(...overlay, "--attachable", "open");
  await run(...overlay, "shut");
  const network = await run("network", "inspect", "open", "--format", "{{.Id}}");
  rig.engine.on("GET /networks", (_call, answer) =>
    json(answer, [{ Id: "e1", Name: "open", Labels: { "gam.network": network } }]),
  );
  // An address is released as soon as the engine has no container with it.
  let containers: readonly unknown[] = [];
  rig.engine.on("GET /containers/json", (_call, answer) => json(answer, containers));
  const Id = "d".repeat(64);
  let body = "";
  rig.engine.on("POST /containers/create", (call, answer) => {
    call.on("data", (chunk) => {
      body += chunk;
    });
    call.on("end", () => {
      const { open } = JSON.parse(body).NetworkingConfig.EndpointsConfig;
      containers = [{ Id, NetworkSettings: { Networks: { open } } }];
      answer.statusCode = 201;
      json(answer, { Id, Warnings: [] });
    });
  });
  rig.engine.on(`POST /containers/${Id}/start`, (_call, answer) => answer.writeHead(204).end());
  rig.engine.on(`POST /containers/${Id}/wait`, (_call, answer) => answer.flushHeaders());
  const plain = ["run", "-d", "--name", "att"];
  assert.equal(await run(...plain, "--network", "open", "--network-alias", "also", "tiny:1"), Id);
  const { HostConfig, NetworkingConfig } = JSON.parse(body);
  const [attachment] = Object.values(
    rig.door.store.network(network as never)?.Gam.attachments ?? {},
  );
  assert.equal(attachment?.name, "att");
  assert.equal(HostConfig.NetworkMode, "open");
  const { IPAMConfig, Aliases } = NetworkingConfig.EndpointsConfig.open;
  assert.deepEqual([IPAMConfig.IPv4Address, Aliases], [attachment?.address, ["also"]]);
  assert.match(
    await fails(...plain, "--network", "shut", "tiny:1"),
    /network shut not manually attachable/,
  );
  assert.match(
    await fails(...plain, "--network", "open", "--ip", "192.0.2.9", "tiny:1"),
    /address 192\.0\.2\.9 is not in its subnet 10\./,
  );
  assert.match(await fails("network", "rm", "open"), /active endpoints: att on node host1/);
  containers = [];
  assert.equal(await run("network", "rm", "open", "shut"), "open\nshut");
});

test("swarm init, join-token, join and leave", { skip }, async () => {
  const alone = await Rig.start(0);
  try {
    const on = async (...args: string[]): Promise<Ran> => docker(args, "", alone);
    const refused = await on("node", "ls");
    assert.match(refused.err, /This node is not a swarm manager\. Use "docker swarm init"/);
    const made = await on("swarm", "init");
    assert.match(made.out, /^Swarm initialized: current node \(aaa0{22}\) is now a manager/);
    assert.match(made.out, /docker swarm join --token gam-1-w-\S+ 10\.88\.0\.1:7946/);
    assert.match((await on("swarm", "join-token", "-q", "manager")).out, /^gam-1-m-\S+\n$/);
    const rotated = await on("swarm", "join-token", "--rotate", "-q", "worker");
    assert.match(rotated.out, /^gam-1-w-\S+\n$/);
    const trusted = await on("swarm", "ca");
    assert.equal(new X509Certificate(trusted.out).subject, "CN=gam");
    assert.match((await on("info")).out, /Root Rotation In Progress: false/);
    assert.equal((await on("swarm", "ca", "--rotate", "--detach")).err, "");
    assert.match((await on("info")).out, /Root Rotation In Progress: true/);
    assert.match((await on("swarm", "init")).err, /already part of a swarm/);
    assert.match((await on("swarm", "leave")).err, /Removing the last manager/);
    assert.equal((await on("swarm", "leave", "--force")).out, "Node left the swarm.\n");
    const pools = ["--default-addr-pool", "10.20.0.0/16", "--default-addr-pool", "10.30.0.0/16"];
    const sizes = ["--default-addr-pool-mask-length", "26", "--data-path-port", "7777"];
    await on("swarm", "init", ...pools, ...sizes);
    const info = (await on("info")).out;
    assert.match(info, /Default Address Pool: 10\.20\.0\.0\/16 {2}10\.30\.0\.0\/16 *\n/);
    assert.match(info, /SubnetSize: 26\n/);
    assert.match(info, /Data Path Port: 7777\n/);
    await on("swarm", "leave", "--force");
    const far = await on("swarm", "init", "--data-path-port", "80");
    assert.match(far.err, /Datapath port number is not in valid range \(1024-49151\) : 80\n$/);
    const joined = await on("swarm", "join", "--token", "gam-1-x", "10.88.0.1:7946");
    assert.equal(joined.out, "This node joined a swarm as a manager.\n");
  } finally {
    await alone.stop();
  }
});

test("swarm init and update --autolock, unlock-key, unlock, and what a locked manager says", {
  skip,
}, async () => {
  const alone = await Rig.start(0);
  try {
    const on = async (...args: string[]): Promise<Ran> => docker(args, "", alone);
    const made = await on("swarm", "init", "--autolock", "--cert-expiry", "720h");
    const key = /^ {4}(SWMKEY-1-\S+)$/m.exec(made.out)?.[1] ?? "";
    assert.notEqual(key, "", made.out + made.err);
    assert.equal((await on("swarm", "unlock-key", "-q")).out.trim(), key);
    const info = (await on("info")).out;
    assert.match(info, /Autolock Managers: true\n/);
    assert.match(info, /Expiry Duration: 4 weeks\n/);
    const rotated = await on("swarm", "unlock-key", "--rotate");
    assert.match(rotated.out, /^Successfully rotated manager unlock key\.\n/);
    const second = /SWMKEY-1-\S+/.exec(rotated.out)?.[0] ?? "";
    assert.notEqual(second, key);
    assert.match((await on("swarm", "unlock")).err, /swarm is not locked/);

    alone.door.lock();
    const refusal = /needs to be unlocked before it can be used\. Please use "docker swarm unlock"/;
    for (const command of [
      "node ls",
      "service ls",
      "swarm join-token worker",
      "swarm unlock-key",
    ]) {
      assert.match((await on(...command.split(" "))).err, refusal, command);
    }
    assert.match((await on("info")).out, /Swarm: locked\n/);
    assert.match((await on("swarm", "leave")).err, /Please unlock it first or use `--force`/);
    const wrong = await docker(["swarm", "unlock"], `${key}\n`, alone);
    assert.match(wrong.err, /swarm could not be unlocked: invalid key provided/);
    assert.equal((await docker(["swarm", "unlock"], `${second}\n`, alone)).code, 0);
    assert.equal((await on("node", "ls", "-q")).code, 0);
    assert.equal((await on("swarm", "update", "--autolock=false")).out, "Swarm updated.\n");
    assert.match((await on("swarm", "unlock-key")).err, /no unlock key is set/);

    const external = ["--external-ca", "protocol=cfssl,url=https://ca.example"];
    for (const args of [
      ["update", ...external],
      ["ca", "--rotate", "--detach", "--ca-cert", caFile(), ...external],
    ]) {
      const refused = await on("swarm", ...args);
      assert.match(refused.err, /Cannot use an external certificate or key/, args.join(" "));
    }
    const short = await on("swarm", "update", "--cert-expiry", "59m");
    assert.match(short.err, /minimum certificate expiry time must be: 1h0m0s/);
    assert.match((await on("swarm", "init")).err, /already part of a swarm/);
    assert.equal((await on("swarm", "init", "--force-new-cluster")).code, 0);
    assert.deepEqual(alone.door.recovered, [true]);
  } finally {
    await alone.stop();
  }
});

/** Returns: the path of some X.509 certificate. */
function caFile(): string {
  const file = join(folder, "ca.pem");
  const key = Buffer.alloc(32, 7);
  writeFileSync(file, rootCertificatePem(key, Buffer.alloc(64)));
  return file;
}

test("run -i waits for its container through the proxy, with both halves of its streams", {
  skip,
}, async () => {
  const Id = "c".repeat(64);
  // The client sends its input as soon as it is attached, so the container may end before the client waits.
  const exit = Promise.withResolvers<number>();
  rig.engine.on("POST /containers/create", (_call, answer) => {
    answer.statusCode = 201;
    json(answer, { Id, Warnings: [] });
  });
  rig.engine.on(`POST /containers/${Id}/wait`, async (_call, answer) => {
    // The client starts the container only after these headers.
    answer.writeHead(200, { "Content-Type": "application/json" });
    answer.flushHeaders();
    answer.end(JSON.stringify({ StatusCode: await exit.promise }));
  });
  rig.engine.on(`POST /containers/${Id}/start`, (_call, answer) => answer.writeHead(204).end());
  rig.engine.upgrade = (_call, socket, head) => {
    socket.write(
      "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
    );
    // A fake of `wc -c` that exits with 7.
    let bytes = head.length;
    socket.on("data", (chunk) => {
      bytes += chunk.length;
    });
    socket.on("end", () => {
      const text = `${bytes}\n`;
      socket.end(
        Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, text.length]), Buffer.from(text)]),
      );
      exit.resolve(7);
    });
  };
  const { code, out, err } = await docker(["run", "-i", "tiny:1", "wc", "-c"], "x".repeat(200_000));
  assert.deepEqual([code, out, err], [7, "200000\n", ""]);
});

test("exec runs through the proxy", { skip }, async () => {
  rig.engine.on("GET /containers/box/json", (_call, answer) =>
    json(answer, { Id: "box", Name: "/box", State: { Running: true }, Config: { Tty: false } }),
  );
  rig.engine.on("POST /containers/box/exec", (_call, answer) => {
    answer.statusCode = 201;
    json(answer, { Id: "e1" });
  });
  rig.engine.on("GET /exec/e1/json", (_call, answer) =>
    json(answer, { ID: "e1", Running: false, ExitCode: 3 }),
  );
  rig.engine.upgrade = (_call, socket) => {
    socket.write("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
    socket.end(Buffer.from("\x01\0\0\0\0\0\0\x06hello\n", "latin1"));
  };
  const { code, out } = await docker(["exec", "box", "echo", "hello"]);
  assert.deepEqual([code, out], [3, "hello\n"]);
});
