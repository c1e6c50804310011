/** Backup service: the service whose labels say how a volume is backed up. */
import type { View } from "../../log/view.ts";
import type { Service } from "../../objects/service.ts";
import type { VolumeRecord } from "../../objects/volumes/volume.ts";

/** Returns: the services that have used the volume and still mount it, by name. */
export function servicesOf(
  { ID, Homes }: Pick<VolumeRecord, "ID" | "Homes">,
  services: ReadonlyMap<string, Service>,
): readonly Service[] {
  const names = new Set(Homes.flatMap(({ users }) => users.map(nameOf)));
  return [...names]
    .sort()
    .map((name) => services.get(name))
    .filter((service) => service !== undefined)
    .filter((service) => mounts(service, ID));
}

/** A place is called "shop_db.1". */
function nameOf(user: string): string {
  return user.slice(0, user.lastIndexOf("."));
}

/** A template may mean this volume. */
function mounts({ Spec }: Service, volume: string): boolean {
  const all = Spec.TaskTemplate.ContainerSpec.Mounts ?? [];
  return all.some(({ Source = "" }) => Source === volume || Source.includes("{{"));
}

/** Returns: the services by name. */
export function servicesByName(view: Pick<View, "services">): ReadonlyMap<string, Service> {
  return new Map(view.services().map((service) => [service.Spec.Name, service]));
}
