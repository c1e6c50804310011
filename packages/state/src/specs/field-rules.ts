/**
 * Field rules: values of known fields that no container on Linux can have.
 *
 * Swarm accepts most of them, and then its tasks are rejected on every node, or the field is ignored. Here the
 * service is refused, and the message names the field.
 *
 * Errors: GamError BAD_REQUEST.
 */
import { fromBase64 } from "@gam/core";
import type { Healthcheck } from "../objects/service.ts";
import type { Shaped } from "./json-shape.ts";
import type { taskShape } from "./service-shape.ts";
import { invalid, oneOf, refuse } from "./spec-refusal.ts";

type Container = NonNullable<Shaped<typeof taskShape>["ContainerSpec"]>;
type Mounts = NonNullable<Container["Mounts"]>;

const propagations = ["rprivate", "private", "rslave", "slave", "rshared", "shared"];

const mountsNo: Readonly<Record<string, string>> = {
  npipe: "exists only on Windows",
  cluster: "(CSI) is not supported. Use a volume with a driver that all nodes have",
};

/** Options of a mount, and the kind of mount that has them. */
const optionsOf = [
  ["BindOptions", "bind"],
  ["VolumeOptions", "volume"],
  ["TmpfsOptions", "tmpfs"],
  ["ImageOptions", "image"],
] as const;

export function checkFields(container: Container): void {
  checkMounts(container.Mounts ?? []);
  checkPrivileges(container.Privileges);
  const isolation = container.Isolation?.toLowerCase() ?? "";
  if (isolation === "hyperv" || isolation === "process") {
    invalid(`${path("Isolation")}: "${isolation}" exists only on Windows`);
  }
}

const path = (field: string): string => `TaskTemplate.ContainerSpec.${field}`;

function checkMounts(mounts: Mounts): void {
  for (const [index, mount] of mounts.entries()) {
    const { Type, BindOptions: bind } = mount;
    const kind = Type?.toLowerCase() ?? "bind";
    oneOf(kind, ["bind", "volume", "tmpfs", "image", ...Object.keys(mountsNo)], () =>
      refuse(`invalid MountType: "${Type}"`),
    );
    const no = mountsNo[kind];
    if (no !== undefined) invalid(`${path(`Mounts[${index}].Type`)}: "${kind}" ${no}`);
    oneOf(bind?.Propagation?.toLowerCase(), propagations, () =>
      refuse(`invalid MountPropagation: "${bind?.Propagation}"`),
    );
    for (const [field, owner] of optionsOf) {
      if (owner === kind || Object.keys(mount[field] ?? {}).length === 0) continue;
      // The engine's words. Old engines ignore some of them.
      const problem = `invalid mount config for type "${kind}": field ${field} must not be specified`;
      invalid(`${path(`Mounts[${index}]`)}: ${problem}`);
    }
  }
}

function checkPrivileges(privileges: Container["Privileges"]): void {
  const at = (field: string): string => path(`Privileges.${field}`);
  if (privileges?.CredentialSpec !== undefined) {
    invalid(`${at("CredentialSpec")}: exists only on Windows`);
  }
  const { Seccomp: seccomp, AppArmor: apparmor } = privileges ?? {};
  oneOf(seccomp?.Mode, ["default", "unconfined", "custom"], (found) =>
    invalid(`${at("Seccomp.Mode")}: "${found}" is none of default, unconfined, custom`),
  );
  oneOf(apparmor?.Mode, ["default", "disabled"], (found) =>
    invalid(`${at("AppArmor.Mode")}: "${found}" is neither default nor disabled`),
  );
  if (seccomp?.Mode === "custom" && !isJson(seccomp.Profile ?? "")) {
    invalid(`${at("Seccomp.Profile")}: mode "custom" needs a profile: JSON, as base64`);
  }
}

/** Returns: the text of a seccomp profile, as the engine takes it. */
export function seccompProfile(base64: string): string {
  return new TextDecoder().decode(fromBase64(base64));
}

function isJson(base64: string): boolean {
  try {
    JSON.parse(seccompProfile(base64));
    return true;
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    return false;
  }
}

const durations = ["Interval", "Timeout", "StartPeriod", "StartInterval"] as const;
const durationNsMin = 1_000_000;

export function checkHealth(health: Healthcheck | undefined): void {
  for (const field of durations) {
    const value = health?.[field] ?? 0;
    if (value !== 0 && value < durationNsMin) {
      invalid(`ContainerSpec: ${field} in HealthConfig cannot be less than 1ms`);
    }
  }
  if ((health?.Retries ?? 0) < 0) {
    invalid("ContainerSpec: Retries in HealthConfig cannot be negative");
  }
}
