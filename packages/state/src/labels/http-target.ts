/** HTTP target: where an HTTP check asks, as labels say it: each task, or one URL. */
import type { Labels } from "../objects/meta.ts";
import type { PortConfig, ServiceSpec } from "../objects/service.ts";
import { httpPort } from "./http-labels.ts";
import { type LabelRule, readLabel, text, type Values } from "./label-rule.ts";

export type HttpTarget =
  /** Each task. Without a port: the first one that the service publishes for TCP, or that of the HTTP proxy. */
  | { readonly kind: "tasks"; readonly port?: number | undefined; readonly path: string }
  | { readonly kind: "url"; readonly url: string };

const urlLengthMax = 2048;
const taskForm = /^(?::(\d{1,5}))?(\/[\x21-\x7e]{0,1023})$/;

export const httpTarget: Values<HttpTarget> = text(
  "a path such as /health or :8080/health, or a URL such as http://probe.example.com/shop",
  (found) => {
    const [, port, path] = taskForm.exec(found) ?? [];
    if (path === undefined) {
      const url = readUrl(found);
      return url === undefined ? undefined : { kind: "url", url };
    }
    if (port === undefined) return { kind: "tasks", path };
    const number = Number(port);
    return number > 0 && number < 65_536 ? { kind: "tasks", port: number, path } : undefined;
  },
);

export const urlTarget: Values<string> = text(
  "a URL such as http://prometheus.example.com:9090",
  readUrl,
);

/** Returns: the text itself, if it is a URL of HTTP without a name and a password. */
function readUrl(found: string): string | undefined {
  if (found.length > urlLengthMax || !/^https?:\/\/[\x21-\x7e]+$/.test(found)) return undefined;
  const url = URL.parse(found);
  return url === null || url.username !== "" || url.password !== "" ? undefined : found;
}

export const promQuery: Values<string> = text(
  "a PromQL query whose result is one number",
  (found) => (found.trim() !== "" && found.length <= 4096 ? found : undefined),
);

/** Returns: why the tasks of this service cannot be asked at the label's path. */
export function lacksPort(rule: LabelRule<HttpTarget>, spec: ServiceSpec): string | undefined {
  const target = readLabel(rule, spec.Labels);
  if (target?.kind !== "tasks") return undefined;
  const { TaskTemplate, EndpointSpec, Labels } = spec;
  const { Networks = spec.Networks ?? [] } = TaskTemplate;
  const ports = EndpointSpec?.Ports ?? [];
  if (portToAsk(target, ports, Labels) === undefined) {
    return `label "${rule.name}" has a path without a port, and the service publishes none for TCP: write the port before the path, such as :8080/health`;
  }
  const isInIngress = ports.some(({ PublishMode }) => PublishMode !== "host");
  if (Networks.length > 0 || isInIngress || httpPort(Labels) !== undefined) return undefined;
  return `label "${rule.name}" has a path, and the service is in no network in which its tasks can be asked: add a network, or use a URL`;
}

/** Returns: the port at which tasks with these ports and labels are asked; undefined if nothing says which. */
export function portToAsk(
  { port }: { readonly port?: number | undefined },
  ports: readonly PortConfig[],
  labels: Labels | undefined,
): number | undefined {
  const isTcp = ({ Protocol = "tcp" }: PortConfig): boolean => Protocol === "tcp";
  return port ?? (ports.find(isTcp)?.TargetPort || httpPort(labels));
}
