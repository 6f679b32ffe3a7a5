// The system service as spinbox guests run it today (containerd.vminitd.services.system.v1).
export {
  type FreezeFilesystemsResponse,
  FreezeFilesystemsResponseSchema,
  type InfoResponse,
  InfoResponseSchema,
  type OfflineCPURequest,
  OfflineCPURequestSchema,
  type OfflineMemoryRequest,
  OfflineMemoryRequestSchema,
  type OnlineCPURequest,
  OnlineCPURequestSchema,
  type OnlineMemoryRequest,
  OnlineMemoryRequestSchema,
  System,
} from "../gen/containerd/vminitd/services/system/v1/info_pb.js";
export {
  createSystemClient,
  registerSystem,
  type SystemClient,
  type SystemHandler,
  SystemMethods,
} from "../gen/containerd/vminitd/services/system/v1/info_rpc.js";
