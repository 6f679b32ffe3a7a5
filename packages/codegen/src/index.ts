// The public face of @guestwire/codegen: the plugin itself, for who runs it inside a program of their own.
export { protocGenGuestwire } from "./plugin.js";
