/** Mount spec: turns a volume of a service into the Engine API's mount. Source: recorded requests of the docker client. */
import type { Mount } from "@gam/state";
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
        ...(volume.bind && {
          BindOptions: { ...(volume.bind.propagation && { Propagation: volume.bind.propagation }) },
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

function namedVolume(
  volume: Volume & { readonly source: string },
  file: File,
  context: SpecContext,
): Mount {
  const { source } = volume;
  const entry = file.volumes?.[source];
  if (entry === undefined) {
    undefinedName({ kind: "volume", name: source, at: volume.at }, context);
    return {};
  }
  const nocopy = volume.volume?.nocopy ? { NoCopy: true } : {};
  if (entry.external?.external) {
    return { Source: givenName(entry) ?? source, VolumeOptions: nocopy };
  }
  return {
    Source: givenName(entry) ?? scoped(source, context),
    VolumeOptions: {
      ...nocopy,
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
