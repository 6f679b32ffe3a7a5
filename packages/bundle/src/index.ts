// The public face of @guestwire/bundle: the bundle service in the shape of the seed document (spinbox.services.bundle.v1).
export {
  Bundle,
  type CreateRequest,
  CreateRequestSchema,
  type CreateResponse,
  CreateResponseSchema,
} from "./gen/spinbox/services/bundle/v1/bundle_pb.js";
export {
  type BundleClient,
  type BundleHandler,
  BundleMethods,
  createBundleClient,
  registerBundle,
} from "./gen/spinbox/services/bundle/v1/bundle_rpc.js";
