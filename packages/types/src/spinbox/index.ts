// io.containerd.spinbox.v1: options of spinbox's runtime.
export { type SpinboxOpts, SpinboxOptsSchema } from "../gen/io/containerd/spinbox/v1/options_pb.js";
