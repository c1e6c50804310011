/**
 * Field changes: which fields of a value are different, by path.
 *
 * Items of a list are compared by what names them (a mount by its target, a variable by its key), so that one new item
 * at the front is one change. Objects with the same fields are equal, in whatever order.
 */
import type { ServiceSpec } from "../objects/service.ts";
import type { PlanField } from "./plan.ts";

/** Returns: the spec with names of networks in the place of their ids, for people. */
export function shownSpec(spec: ServiceSpec, names: ReadonlyMap<string, string>): unknown {
  const named = (targets: ServiceSpec["Networks"]) =>
    targets?.map((target) => ({ ...target, Target: names.get(target.Target) ?? target.Target }));
  const { TaskTemplate, Networks } = spec;
  return {
    ...spec,
    ...(Networks && { Networks: named(Networks) }),
    TaskTemplate: {
      ...TaskTemplate,
      ...(TaskTemplate.Networks && { Networks: named(TaskTemplate.Networks) }),
    },
  };
}

/** Fields that name an item of a list, the first one that it has. */
const naming = ["Target", "SecretName", "ConfigName", "Name", "TargetPort", "Kind"] as const;

/** Returns: the leaves that differ, in the order of the fields. A part that is new or gone is one leaf. */
export function fieldChanges(before: unknown, after: unknown): PlanField[] {
  return changesIn(partsOf(before) ?? new Map(), partsOf(after) ?? new Map(), "");
}

type Parts = ReadonlyMap<string, unknown>;

function changesIn(before: Parts, after: Parts, path: string): PlanField[] {
  const keys = new Set([...before.keys(), ...after.keys()]);
  return [...keys].flatMap((key) => {
    const [was, is] = [before.get(key), after.get(key)];
    const [old, now] = [partsOf(was), partsOf(is)];
    const here = joined(path, key);
    if (old !== undefined && now !== undefined) return changesIn(old, now, here);
    const [left, right] = [textOf(was), textOf(is)];
    return left === right ? [] : [{ path: here, before: left, after: right }];
  });
}

function joined(path: string, key: string): string {
  return path === "" || key.startsWith("[") ? `${path}${key}` : `${path}.${key}`;
}

/** Returns: the parts of an object or a list; undefined for a leaf and for what is empty. */
function partsOf(value: unknown): Parts | undefined {
  if (typeof value !== "object" || isEmpty(value)) return undefined;
  if (Array.isArray(value)) return itemsOf(value);
  return new Map(Object.entries(value ?? {}).filter(([, field]) => !isEmpty(field)));
}

function itemsOf(list: readonly unknown[]): Parts {
  const items = new Map<string, unknown>();
  for (const [at, item] of list.entries()) {
    const [name, value] = namedItem(item) ?? [String(at), item];
    const key = `[${name}]`;
    items.set(items.has(key) ? `[${name}, ${at}]` : key, value);
  }
  return items;
}

function namedItem(item: unknown): readonly [string, unknown] | undefined {
  if (typeof item === "string") {
    const at = item.indexOf("=");
    return at > 0 && /^[A-Za-z_][\w.]*$/.test(item.slice(0, at))
      ? [item.slice(0, at), item.slice(at + 1)]
      : undefined;
  }
  if (typeof item !== "object" || item === null) return undefined;
  const fields = item as Readonly<Record<string, unknown>>;
  const name = naming.map((key) => fields[key]).find((one) => one !== undefined);
  return name === undefined ? undefined : [String(name), item];
}

/** Whether it says nothing: the API reads an absent and an empty field alike. */
function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return typeof value === "object" && Object.values(value).every(isEmpty);
}

function textOf(value: unknown): string {
  return isEmpty(value) ? "" : JSON.stringify(value);
}
