#!/usr/bin/env node
// Runs the plugin for buf and protoc: a request on standard input, a response on standard output.
import { runNodeJs } from "@bufbuild/protoplugin";
import { protocGenGuestwire } from "../dist/index.js";

runNodeJs(protocGenGuestwire);
