// The public face of @guestwire/system: the system service in the shape of the seed document (spinbox.services.system.v1).
export {
  SystemInfo,
  type SystemInfoResponse,
  SystemInfoResponseSchema,
} from "./gen/spinbox/services/system/v1/info_pb.js";
export {
  createSystemInfoClient,
  registerSystemInfo,
  type SystemInfoClient,
  type SystemInfoHandler,
  SystemInfoMethods,
} from "./gen/spinbox/services/system/v1/info_rpc.js";
