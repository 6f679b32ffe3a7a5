// Options that do not exist are refused, as on all wires.
export { checkKnown } from "@guestwire/rpc/transport";
