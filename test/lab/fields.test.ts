/**
 * Fields of services whose effect only a container shows: read back inside of it, on real engines. What the engine
 * gets for each field is in packages/worker/src/service-fields.test.ts.
 *
 * One mesh serves all tests.
 */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { type Host, Lab, labUnavailable } from "./clusters/lab.ts";
import { LabMesh } from "./clusters/lab-mesh.ts";
import { mustDocker } from "./clusters/must-docker.ts";

const skip = labUnavailable() ?? false;
const number = 23;
const patienceMs = 60_000;

/** Everything at once, as the API takes it. */
const container = {
  Image: "gam/test:1",
  Hostname: '{{printf "%s-%s" .Service.Name .Task.Slot}}',
  Env: [
    "PLACE={{.Node.Hostname}}{{range $k, $v := .Service.Labels}} {{$k}}={{$v}}{{end}}",
    "TASK={{.Task.Name}}",
    "PLAIN=a b",
  ],
  Labels: { role: "probe" },
  Dir: "/tmp",
  User: "12:34",
  Groups: ["56"],
  ReadOnly: true,
  Init: true,
  StopSignal: "SIGINT",
  Sysctls: { "net.ipv4.ip_unprivileged_port_start": "99" },
  CapabilityAdd: ["CAP_NET_ADMIN"],
  CapabilityDrop: ["CAP_CHOWN"],
  Ulimits: [{ Name: "nofile", Soft: 1111, Hard: 2222 }],
  OomScoreAdj: 321,
  Hosts: ["192.0.2.9 one.example two.example"],
  DNSConfig: { Nameservers: ["192.0.2.53"], Search: ["a.example"], Options: ["ndots:3"] },
  Privileges: { NoNewPrivileges: true, Seccomp: { Mode: "unconfined" } },
  Mounts: [
    { Source: "/srv/{{.Service.Name}}", Target: "/bound", ReadOnly: true },
    {
      Type: "volume",
      Source: "data-{{.Task.Slot}}",
      Target: "/data",
      VolumeOptions: { Labels: { of: "{{.Service.Name}}" } },
    },
    { Type: "tmpfs", Target: "/fast", TmpfsOptions: { SizeBytes: 1_048_576, Mode: 0o1770 } },
  ],
};

/** What a shell in the container must print. */
const inside: readonly (readonly [field: string, command: string, want: string])[] = [
  ["Hostname", "hostname", "probe-1"],
  ["Env", 'echo "$PLACE|$PLAIN"', "HOST app=x b=|a b"],
  ["Dir", "pwd", "/tmp"],
  ["User and Groups", 'echo "$(id -u) $(id -g) $(id -G)"', "12 34 34 56"],
  ["ReadOnly", "touch /x 2>&1 | sed 's/.*: //'", "Read-only file system"],
  ["Init", "cat /proc/1/comm", "docker-init"],
  ["Sysctls", "cat /proc/sys/net/ipv4/ip_unprivileged_port_start", "99"],
  ["CapabilityAdd", "echo $((0x$(sed -n 's/CapBnd:.//p' /proc/self/status) >> 12 & 1))", "1"],
  ["CapabilityDrop", "echo $((0x$(sed -n 's/CapBnd:.//p' /proc/self/status) & 1))", "0"],
  ["Ulimits", 'echo "$(ulimit -Sn) $(ulimit -Hn)"', "1111 2222"],
  ["OomScoreAdj", "cat /proc/self/oom_score_adj", "321"],
  ["Hosts", "grep -c '192.0.2.9.*\\(one\\|two\\).example' /etc/hosts", "2"],
  [
    "DNSConfig",
    "grep -v '^#' /etc/resolv.conf | tr '\\n' ';'",
    "search a.example;nameserver 192.0.2.53;options ndots:3;",
  ],
  ["NoNewPrivileges", "sed -n 's/NoNewPrivs:.//p' /proc/self/status", "1"],
  ["Seccomp", "sed -n 's/Seccomp:.//p' /proc/self/status", "0"],
  [
    "Mounts of type bind",
    "cat /bound/hello; touch /bound/x 2>&1 | sed 's/.*: //'",
    "hi\nRead-only file system",
  ],
  ["Mounts of type volume", "sed -n 's/.* \\/data .*/mounted/p' /proc/mounts", "mounted"],
  [
    "Mounts of type tmpfs",
    "echo $(stat -c %a /fast) $(df -k /fast | sed -n '$s/[^ ]* *\\([0-9]*\\).*/\\1/p')",
    "1770 1024",
  ],
];

describe("fields of services on real engines", { skip }, () => {
  let lab: Lab;
  let mesh: LabMesh;
  let first: Host;

  before(async () => {
    lab = await Lab.up({ hosts: 2, number });
    first = lab.host(1);
    await first.startAgent();
    const resources = ["--generic-resource", "gpu=a,gpu=b", "--generic-resource", "ssd=2"];
    await lab.host(2).startAgent({ args: resources });
    for (const host of lab.hosts) {
      mkdirSync(host.path("/srv/probe"), { recursive: true });
      writeFileSync(host.path("/srv/probe/hello"), "hi\n");
    }
    mesh = await LabMesh.form(lab);
  });
  after(async () => {
    await Lab.down(number);
  });

  /** The one container of a service. */
  async function placeOf(service: string): Promise<{ host: Host; container: string }> {
    await mesh.running(first, service, 1, [], patienceMs);
    const [place] = await mesh.places(service);
    assert.ok(place !== undefined, `${service} has no container`);
    return { host: lab.host(place.host), container: place.container };
  }

  const engine = { engine: true };

  test("each field has its effect in the container", async () => {
    await mesh.createService(first, "probe", 1, {
      Labels: { app: "x", b: "" },
      TaskTemplate: { ContainerSpec: container, LogDriver: { Name: "local" } },
    });
    const { host, container: id } = await placeOf("probe");
    for (const [field, command, want] of inside) {
      const shown = await mustDocker(host, ["exec", id, "sh", "-c", command], engine);
      assert.equal(shown, want.replace("HOST", host.name), field);
    }
    const format = "{{.HostConfig.LogConfig.Type}} {{.Config.StopSignal}} {{.Config.Labels.role}}";
    const shown = await mustDocker(host, ["inspect", "--format", format, id], engine);
    assert.equal(shown, "local SIGINT probe");
    const volume = ["volume", "inspect", "--format", "{{.Labels.of}}", "data-1"];
    assert.equal(await mustDocker(host, volume, engine), "probe");
  });

  test("limits of resources are the container's", async () => {
    const Limits = { NanoCPUs: 5e8, MemoryBytes: 64 << 20, Pids: 33 };
    await mesh.createService(first, "limited", 1, {
      TaskTemplate: {
        ContainerSpec: { Image: "gam/test:1" },
        Resources: { Limits, Reservations: { MemoryBytes: 32 << 20 }, SwapBytes: 0 },
      },
    });
    const { host, container: id } = await placeOf("limited");
    const format =
      "{{with .HostConfig}}{{.NanoCpus}} {{.Memory}} {{.MemorySwap}} {{.MemoryReservation}} {{.PidsLimit}}{{end}}";
    const shown = await mustDocker(host, ["inspect", "--format", format, id], engine);
    assert.equal(shown, `500000000 ${64 << 20} ${64 << 20} ${32 << 20} 33`);
  });

  test("generic resources go to one task each, by name or by number", async () => {
    const node = await mustDocker(first, [
      "node",
      "inspect",
      "--format",
      "{{json .Description.Resources.GenericResources}}",
      "host2",
    ]);
    assert.deepEqual(JSON.parse(node), [
      { NamedResourceSpec: { Kind: "gpu", Value: "a" } },
      { NamedResourceSpec: { Kind: "gpu", Value: "b" } },
      { DiscreteResourceSpec: { Kind: "ssd", Value: 2 } },
    ]);
    const create = ["service", "create", "--detach", "--generic-resource", "gpu=1"];
    const more = ["--generic-resource", "ssd=1", "--replicas", "3", "--name", "gpus", "gam/test:1"];
    await mustDocker(first, [...create, ...more]);
    await mesh.running(first, "gpus", 2, [], patienceMs);
    const places = await mesh.places("gpus");
    const shown = await Promise.all(
      places.map(({ host, container: id }) => {
        const print = 'echo "$DOCKER_RESOURCE_GPU $DOCKER_RESOURCE_SSD"';
        return mustDocker(lab.host(host), ["exec", id, "sh", "-c", print], engine);
      }),
    );
    assert.deepEqual(shown.sort(), ["a 1", "b 1"]);
    const tasks = await mesh.tasks(first, "gpus");
    const waits = tasks.find(({ Status }) => Status.State === "pending");
    assert.match(waits?.Status.Err ?? "", /insufficient resources on 2 nodes/);
  });

  test("the cluster's log driver is for tasks that name none", async () => {
    const swarm = await mesh.call<{ Version: { Index: number }; Spec: object }>(
      first,
      "GET",
      "/swarm",
    );
    const TaskDefaults = {
      LogDriver: { Name: "json-file", Options: { "max-file": "2", "max-size": "9k" } },
    };
    const path = `/swarm/update?version=${swarm.Version.Index}`;
    await mesh.call(first, "POST", path, { ...swarm.Spec, TaskDefaults });
    await mesh.createService(first, "logged", 1);
    const { host, container: id } = await placeOf("logged");
    const format = "{{json .HostConfig.LogConfig}}";
    const shown = await mustDocker(host, ["inspect", "--format", format, id], engine);
    assert.deepEqual(JSON.parse(shown), {
      Type: "json-file",
      Config: { "max-file": "2", "max-size": "9k" },
    });
  });

  test("what no engine here can do is refused, and so is a template that does not expand", async () => {
    const refusal = async (spec: object): Promise<string> => {
      const ContainerSpec = { Image: "gam/test:1", ...spec };
      const made = mesh.createService(first, "no", 1, { TaskTemplate: { ContainerSpec } });
      return await made.then(
        () => "no refusal",
        (thrown: Error) => thrown.message,
      );
    };
    assert.match(await refusal({ Env: ["A={{.Bogus}}"] }), /: 400 .*can't evaluate field Bogus/);
    const [npipe] = [{ Type: "npipe", Source: "a", Target: "b" }];
    assert.match(
      await refusal({ Mounts: [npipe] }),
      /: 400 .*Mounts\[0\]\.Type: .*only on Windows/,
    );
  });
});
