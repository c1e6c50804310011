/** Service rows: the services of a stack as a table. Names and wording are those of the docker client. */
import type { PortItem, ServiceItem } from "../agent/engine-calls.ts";

const titles = ["ID", "NAME", "MODE", "REPLICAS", "IMAGE", "PORTS"];
const idLength = 12;

export function serviceRows(services: readonly ServiceItem[]): string[][] {
  return [
    titles,
    ...services.map((service) => [
      service.ID.slice(0, idLength),
      service.Spec.Name,
      modeOf(service),
      replicasOf(service),
      service.Spec.TaskTemplate.ContainerSpec?.Image?.replace(/@.*$/, "") ?? "",
      portsOf(service.Endpoint?.Ports ?? []),
    ]),
  ];
}

function modeOf({ Spec: { Mode } }: ServiceItem): string {
  if (Mode?.Global !== undefined) return "global";
  if (Mode?.GlobalJob !== undefined) return "global job";
  return Mode?.ReplicatedJob === undefined ? "replicated" : "replicated job";
}

function replicasOf({ Spec, ServiceStatus }: ServiceItem): string {
  const { RunningTasks = 0, DesiredTasks = 0, CompletedTasks = 0 } = ServiceStatus ?? {};
  const counted = `${RunningTasks}/${DesiredTasks}`;
  const { Mode, TaskTemplate } = Spec;
  const max = TaskTemplate.Placement?.MaxReplicas ?? 0;
  if (Mode?.ReplicatedJob !== undefined) {
    return `${counted} (${CompletedTasks}/${Mode.ReplicatedJob.TotalCompletions ?? 1} completed)`;
  }
  if (Mode?.GlobalJob !== undefined) {
    return `${counted} (${CompletedTasks}/${DesiredTasks + CompletedTasks} completed)`;
  }
  return Mode?.Global === undefined && max > 0 ? `${counted} (max ${max} per node)` : counted;
}

/** Ranges of ports that follow each other are written as one, as the docker client does. */
function portsOf(ports: readonly PortItem[]): string {
  const sorted = ports
    .filter(({ PublishMode, PublishedPort }) => PublishMode !== "host" && PublishedPort)
    .map(({ Protocol = "tcp", PublishedPort = 0, TargetPort = 0 }) => ({
      protocol: Protocol,
      from: PublishedPort,
      to: PublishedPort,
      target: TargetPort,
    }))
    .sort((a, b) => a.protocol.localeCompare(b.protocol) || a.from - b.from);
  const ranges: typeof sorted = [];
  for (const port of sorted) {
    const last = ranges.at(-1);
    const length = last === undefined ? 0 : last.to - last.from + 1;
    const follows =
      last?.protocol === port.protocol &&
      last.to + 1 === port.from &&
      last.target + length === port.target;
    if (last !== undefined && follows) ranges[ranges.length - 1] = { ...last, to: port.to };
    else ranges.push(port);
  }
  return ranges
    .map(({ protocol, from, to, target }) => {
      if (from === to) return `*:${from}->${target}/${protocol}`;
      return `*:${from}-${to}->${target}-${target + to - from}/${protocol}`;
    })
    .join(", ");
}
