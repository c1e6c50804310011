import { dependenciesOf, stackLabel } from "@gam/state";
import { podOrder } from "./pods.ts";
import type { StackService } from "./spec.ts";

/**
 * Returns: the services of a stack, each after those that it waits for and after the init containers of its pods;
 *          otherwise in the given order.
 */
export function dependenciesFirst(services: readonly StackService[]): StackService[] {
  const byName = new Map(services.map((service) => [service.spec.Name, service]));
  const specs = services.map(({ spec }) => spec);
  const ordered = new Set<StackService>();
  const open = new Set<StackService>();
  const take = (service: StackService): void => {
    if (ordered.has(service) || open.has(service)) return;
    open.add(service);
    const stack = service.spec.Labels?.[stackLabel] ?? "";
    const waits = dependenciesOf(service.spec.Labels).map(({ name }) => name);
    for (const name of [...waits, ...podOrder(service.spec, specs)]) {
      const other = byName.get(`${stack}_${name}`) ?? byName.get(name);
      if (other !== undefined) take(other);
    }
    ordered.add(service);
  };
  for (const service of services) take(service);
  return [...ordered];
}
