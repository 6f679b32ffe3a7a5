// Types of messages and methods as interceptors know them, so that this package needs no protobuf library of its own.
import type { CallInfo, UnaryCall } from "@guestwire/rpc";

/** A method's descriptor. */
export type Method = CallInfo["method"];
/** A message of any type. */
export type Message = UnaryCall["message"];
/** A message type. */
export type MessageType = Method["input"];
