/** HTTP target: where an HTTP check asks, as labels say it: each task, or one URL. */
import type { ServiceSpec } from "../objects/service.ts";
import { type LabelRule, readLabel, text, type Values } from "./label-rule.ts";

export type HttpTarget =
  /** Each task. Without a port: the first one that the service publishes. */
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
  const { Networks = spec.Networks ?? [] } = spec.TaskTemplate;
  const ports = spec.EndpointSpec?.Ports ?? [];
  if (target.port === undefined && ports.length === 0) {
    return `label "${rule.name}" has a path without a port, and the service publishes none: write the port before the path, such as :8080/health`;
  }
  if (Networks.length > 0 || ports.length > 0) return undefined;
  return `label "${rule.name}" has a path, and the service is in no network in which its tasks can be asked: add a network, or use a URL`;
}
