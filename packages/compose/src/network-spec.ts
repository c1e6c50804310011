/** Network spec: the networks of a stack as the docker client creates them. Source: its recorded requests. */
import { givenName } from "./shape/external.ts";
import type { NetworkEntry } from "./shape/file.ts";
import type { ServiceEntry } from "./shape/service-shape.ts";
import { type SpecContext, scoped, stackLabels } from "./stack-names.ts";

/** The body of `POST /networks/create`. */
export interface NetworkCreate {
  readonly Name: string;
  readonly CheckDuplicate: true;
  readonly Driver: string;
  readonly Scope: "";
  readonly Internal: boolean;
  readonly Attachable: boolean;
  readonly Ingress: false;
  readonly ConfigOnly: false;
  readonly ConfigFrom: null;
  readonly Options: Readonly<Record<string, string>> | null;
  readonly Labels: Readonly<Record<string, string>>;
  readonly IPAM: {
    readonly Driver: string;
    readonly Options: null;
    readonly Config: readonly { readonly Subnet: string }[] | null;
  } | null;
}

/** The network of services that name none. */
export const defaultNetwork = "default";

/** A service with a network mode of its own is in none of them. */
export function networksOf(service: ServiceEntry): NonNullable<ServiceEntry["networks"]> {
  const { networks = {}, network_mode: mode } = service;
  if (mode !== undefined) return {};
  return Object.keys(networks).length === 0 ? { [defaultNetwork]: { at: service.at } } : networks;
}

export function networkName(
  key: string,
  entry: NetworkEntry | undefined,
  context: SpecContext,
): string {
  return givenName(entry) ?? (entry?.external?.external ? key : scoped(key, context));
}

export function networkCreate(
  key: string,
  entry: NetworkEntry | undefined,
  context: SpecContext,
): NetworkCreate {
  const { driver, config = [] } = entry?.ipam ?? {};
  const subnets = config.flatMap(({ subnet }) => (subnet ? [{ Subnet: subnet }] : []));
  const ipam = {
    Driver: driver ?? "",
    Options: null,
    Config: subnets.length > 0 ? subnets : null,
  };
  return {
    Name: networkName(key, entry, context),
    CheckDuplicate: true,
    Driver: entry?.driver || "overlay",
    Scope: "",
    Internal: entry?.internal ?? false,
    Attachable: entry?.attachable ?? false,
    Ingress: false,
    ConfigOnly: false,
    ConfigFrom: null,
    Options: entry?.driver_opts ?? null,
    Labels: stackLabels(entry?.labels, context),
    IPAM: driver || subnets.length > 0 ? ipam : null,
  };
}
