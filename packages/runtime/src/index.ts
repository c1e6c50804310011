export type { EngineNews } from "./container-engine.ts";
export type { ContentSource } from "./contents/file-room.ts";
export { MemoryFolder } from "./contents/memory-folder.ts";
export { DataPlane } from "./data-plane/data-plane.ts";
export {
  HostTrials,
  lookAtHostNetwork,
} from "./data-plane/host-network.ts";
export { runCommand } from "./data-plane/kernel/command.ts";
export { checkTrialSources, PortEar, type TrialSource } from "./data-plane/port-ear.ts";
export { type PortToProbe, probePort } from "./data-plane/probe-port.ts";
export { TunnelKeys } from "./data-plane/tunnel-keys.ts";
export { DnsServer } from "./dns/dns-server.ts";
export { type PathResult, type PathToProbe, probePath } from "./dns/probe-path.ts";
export { DockerEngine } from "./docker-engine.ts";
export { lookAtEngine } from "./facts/engine-facts.ts";
export { HostLine } from "./host-line.ts";
export { ImageDepot, type LocalImage } from "./image-depot.ts";
export type { ImageSource } from "./image-source.ts";
export { ForeignNames } from "./images/foreign-names.ts";
export { aDigest, configBytesMax, layerBytesMax, layerList, layersIn } from "./images/image-tar.ts";
export { LayerCache } from "./images/layer-cache.ts";
export { httpGet } from "./probes/http-get.ts";
export {
  BackupFolder,
  readManifest,
  type StoredTar,
  type StoreOptions,
} from "./volumes/backup-folder.ts";
export { type LocalVolume, LocalVolumes, type VolumeUser } from "./volumes/local-volumes.ts";
export { RestoreFolder, restoresBeside } from "./volumes/restore-folder.ts";
