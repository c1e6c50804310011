/** Mount spec: turns a volume of a service into the Engine API's mount. Source: recorded requests of the docker client. */
import type { Mount } from "@gam/state";
import { entryOf } from "./reading/entry-of.ts";
import { givenName } from "./shape/external.ts";
import type { File } from "./shape/file.ts";
import type { Volume } from "./shape/volume.ts";
import { type SpecContext, scoped, stackLabels, undefinedName } from "./stack-names.ts";

export function toMount(volume: Volume, file: File, context: SpecContext): Mount {
  const { type, source, target } = volume;
  const mount: Mount = {
    Type: type,
    Target: target,
    ...(source && { Source: source }),
    ...(volume.read_only && { ReadOnly: true }),
    ...(volume.consistency && { Consistency: volume.consistency }),
  };
  switch (type) {
    case "bind":
      return {
        ...mount,
        Source: source ?? "",
        ...(volume.bind && { BindOptions: bindOptions(volume.bind) }),
      };
    case "image":
      return {
        ...mount,
        ...(volume.image && {
          ImageOptions: { ...(volume.image.subpath && { Subpath: volume.image.subpath }) },
        }),
      };
    case "tmpfs":
      return {
        ...mount,
        ...(volume.tmpfs && {
          TmpfsOptions: {
            ...(volume.tmpfs.size && { SizeBytes: volume.tmpfs.size }),
            ...(volume.tmpfs.mode && { Mode: volume.tmpfs.mode }),
          },
        }),
      };
    case "volume":
      return source ? { ...mount, ...namedVolume({ ...volume, source }, file, context) } : mount;
  }
}

function bindOptions({
  propagation,
  recursive,
}: NonNullable<Volume["bind"]>): NonNullable<Mount["BindOptions"]> {
  return {
    ...(propagation && { Propagation: propagation }),
    ...(recursive === "disabled" && { NonRecursive: true }),
    ...(recursive === "writable" && { ReadOnlyNonRecursive: true }),
    ...(recursive === "readonly" && { ReadOnlyForceRecursive: true }),
  };
}

function namedVolume(
  volume: Volume & { readonly source: string },
  file: File,
  context: SpecContext,
): Mount {
  const { source } = volume;
  const entry = entryOf(file.volumes, source);
  if (entry === undefined) {
    undefinedName({ kind: "volume", name: source, at: volume.at }, context);
    return {};
  }
  const { nocopy, subpath } = volume.volume ?? {};
  const options = { ...(nocopy && { NoCopy: true }), ...(subpath && { Subpath: subpath }) };
  if (entry.external?.external) {
    return { Source: givenName(entry) ?? source, VolumeOptions: options };
  }
  return {
    Source: givenName(entry) ?? scoped(source, context),
    VolumeOptions: {
      ...options,
      Labels: stackLabels(entry.labels, context),
      ...((entry.driver || entry.driver_opts) && {
        DriverConfig: {
          ...(entry.driver && { Name: entry.driver }),
          ...(entry.driver_opts && { Options: entry.driver_opts }),
        },
      }),
    },
  };
}
