// The bundle service as spinbox guests run it today (containerd.vminitd.services.bundle.v1).
export {
  Bundle,
  type CreateRequest,
  CreateRequestSchema,
  type CreateResponse,
  CreateResponseSchema,
} from "../gen/containerd/vminitd/services/bundle/v1/bundle_pb.js";
export {
  type BundleClient,
  type BundleHandler,
  BundleMethods,
  createBundleClient,
  registerBundle,
} from "../gen/containerd/vminitd/services/bundle/v1/bundle_rpc.js";
