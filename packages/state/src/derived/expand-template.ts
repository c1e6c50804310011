/**
 * Expand template: Go's text templates with the fields and functions that Swarm offers, in specs of services and
 * in the contents of configs and secrets.
 *
 * The language itself is in @gam/template.
 */
import {
  Budget,
  expand,
  fromBytes,
  fromGoText,
  type GoFunction,
  type GoValue,
  goText,
  parseProblem,
  Struct,
  TemplateError,
  TextMap,
  toBytes,
} from "@gam/template";

export { Budget };

export interface TemplateContext {
  readonly Service: {
    readonly ID: string;
    readonly Name: string;
    readonly Labels: Readonly<Record<string, string>>;
  };
  readonly Node: {
    readonly ID: string;
    readonly Hostname: string;
    readonly Platform: { readonly Architecture: string; readonly OS: string };
  };
  readonly Task: { readonly ID: string; readonly Name: string; readonly Slot: string };
}

/** Swarm's name for every template. */
const name = "expansion";

const join: GoFunction = {
  fixed: [],
  rest: "string",
  call: ([separator, ...texts]) => {
    if (separator === undefined) {
      throw new TemplateError("runtime error: slice bounds out of range [1:0]");
    }
    return texts.join(String(separator));
  },
};
const specFunctions: ReadonlyMap<string, GoFunction> = new Map([["join", join]]);

const textFields = (fields: Readonly<Record<string, string>>): [string, GoValue][] =>
  Object.entries(fields).map(([field, text]) => [field, goText(text)]);

/** The types have Swarm's names, which messages show. */
function dataOf({ Service, Node, Task }: TemplateContext, type: string): Struct {
  const { Labels, ...service } = Service;
  const { Platform, ...node } = Node;
  const labels = new TextMap(
    new Map(Object.entries(Labels).map(([key, text]) => [goText(key), goText(text)])),
  );
  const struct = (of: string, fields: [string, GoValue][]) => new Struct(of, new Map(fields));
  return new Struct(
    `template.${type}`,
    new Map<string, GoValue>([
      [
        "Service",
        struct("struct { ID string; Name string; Labels map[string]string }", [
          ...textFields(service),
          ["Labels", labels],
        ]),
      ],
      [
        "Node",
        struct("struct { ID string; Hostname string; Platform template.Platform }", [
          ...textFields(node),
          ["Platform", struct("template.Platform", textFields({ ...Platform }))],
        ]),
      ],
      ["Task", struct("struct { ID string; Name string; Slot string }", textFields({ ...Task }))],
    ]),
    true,
  );
}

/**
 * Returns: the text with every action replaced, or why it does not expand, in Go's words. Texts of one spec share
 *          a budget.
 */
export function expandTemplate(
  text: string,
  context: TemplateContext,
  budget = new Budget(),
): { readonly text: string } | { readonly error: string } {
  if (!text.includes("{{")) return { text };
  const data = dataOf(context, "Context");
  const expanded = expand(goText(text), { name, data, functions: specFunctions, budget });
  return "error" in expanded
    ? { error: fromGoText(expanded.error) }
    : { text: fromGoText(expanded.text) };
}

/**
 * Returns: why the text would not expand for the tasks of a service; undefined when it would. The task and the
 *          node are made up, as in Swarm; the service's name and labels are its own, as they are not in Swarm.
 */
export function checkTemplate(
  text: string,
  service: { readonly Name: string; readonly Labels?: Readonly<Record<string, string>> },
  budget = new Budget(),
): string | undefined {
  const context = {
    Service: { ID: "serviceid", Name: service.Name, Labels: service.Labels ?? {} },
    Node: {
      ID: "nodeid",
      Hostname: "nodeHostname",
      Platform: { Architecture: "architecture", OS: "os" },
    },
    Task: { ID: "taskid", Name: "taskname", Slot: "1" },
  };
  const expanded = expandTemplate(text, context, budget);
  return "error" in expanded ? expanded.error : undefined;
}

/** What the template of a config or secret can read beside the context. */
export interface PayloadSources {
  /** `ContainerSpec.Env` of the task. */
  readonly env: readonly string[];
  /** The contents of a reference of the task, by the name of its file. They are not expanded. */
  readonly secret: (target: string) => Uint8Array | undefined;
  readonly config: (target: string) => Uint8Array | undefined;
}

function readFrom(kind: string, find: (target: string) => Uint8Array | undefined): GoFunction {
  return {
    fixed: ["string"],
    call: ([target]) => {
      const found = find(fromGoText(String(target)));
      if (found === undefined) throw new TemplateError(`${kind} target ${target} not found`);
      return fromBytes(found);
    },
  };
}

function envFrom(env: readonly string[]): GoFunction {
  return {
    fixed: ["string"],
    call: ([variable]) => {
      const line = env.find((one) => goText(one).startsWith(`${variable}=`));
      return line === undefined ? "" : goText(line.slice(line.indexOf("=") + 1));
    },
  };
}

function payloadFunctions(
  sources: PayloadSources,
  onSecret: () => void,
): ReadonlyMap<string, GoFunction> {
  const secret = (target: string): Uint8Array | undefined => {
    const found = sources.secret(target);
    if (found !== undefined) onSecret();
    return found;
  };
  return new Map([
    ...specFunctions,
    ["secret", readFrom("secret", secret)],
    ["config", readFrom("config", sources.config)],
    ["env", envFrom(sources.env)],
  ]);
}

/**
 * Expands the content of a config or secret whose template driver is "golang".
 *
 * Returns: the content, and whether a secret is in it: then it must be kept like one. Or why it does not expand,
 *          in Go's words, and whether they may quote a secret that it read.
 */
export function expandPayload(
  data: Uint8Array,
  context: TemplateContext,
  sources: PayloadSources,
): { readonly sensitive: boolean } & ({ readonly data: Uint8Array } | { readonly error: string }) {
  let sensitive = false;
  const functions = payloadFunctions(sources, () => {
    sensitive = true;
  });
  const expanded = expand(fromBytes(data), {
    name,
    data: dataOf(context, "PayloadContext"),
    functions,
  });
  return "error" in expanded
    ? { error: fromGoText(expanded.error), sensitive }
    : { data: toBytes(expanded.text), sensitive };
}

/**
 * Returns: where a template failed, instead of Go's words, which quote what is there. For templates with secrets in
 *          them: messages get into logs and into the state.
 */
export function withoutQuotes(problem: string): string {
  const place = /^template: expansion(?::\d+)*/.exec(problem)?.[0] ?? "template: expansion";
  return `${place}: the reason is not shown because it may quote a secret`;
}

/** Returns: why the content of a config or secret is no template, in Go's words; undefined if it is one. */
export function payloadProblem(data: Uint8Array): string | undefined {
  const none = (): undefined => undefined;
  const functions = payloadFunctions({ env: [], secret: none, config: none }, none);
  const problem = parseProblem(fromBytes(data), { name, functions });
  return problem === undefined ? undefined : fromGoText(problem);
}
