// The few numbers of the protobuf format and of protobuf-es' descriptors that codecs are compiled by.
// Ours, because importing them from @bufbuild/protobuf would load all of it (tens of milliseconds of cold start).

/** Wire type of variable-length integers. */
export const VARINT = 0;
/** Wire type of eight bytes. */
export const BIT64 = 1;
/** Wire type of strings, bytes, messages and packed lists. */
export const DELIMITED = 2;
/** Wire type that begins a group. */
export const GROUP_START = 3;
/** Wire type that ends a group. */
export const GROUP_END = 4;
/** Wire type of four bytes. */
export const BIT32 = 5;

// Scalar types, numbered as in google.protobuf.FieldDescriptorProto.Type.
export const DOUBLE = 1;
export const FLOAT = 2;
export const INT64 = 3;
export const UINT64 = 4;
export const INT32 = 5;
export const FIXED64 = 6;
export const FIXED32 = 7;
export const BOOL = 8;
export const STRING = 9;
export const BYTES = 12;
export const UINT32 = 13;
export const SFIXED32 = 15;
export const SFIXED64 = 16;
export const SINT32 = 17;
export const SINT64 = 18;

/** google.protobuf.FeatureSet.FieldPresence.IMPLICIT: a field is there when it is not zero. */
export const IMPLICIT = 2;
/** google.protobuf.FeatureSet.FieldPresence.LEGACY_REQUIRED: proto2's `required`. */
export const REQUIRED = 3;

/** google.protobuf.Edition.EDITION_PROTO2. */
export const PROTO2 = 998;
/** google.protobuf.Edition.EDITION_PROTO3. */
export const PROTO3 = 999;

/** How many messages and groups may lie in each other; the library's limit, which keeps a hostile message off the stack's end. */
export const RECURSION_LIMIT = 100;
