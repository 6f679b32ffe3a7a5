#!/usr/bin/env node
// Starts the built program.
import { main } from "../dist/cli.js";

process.exitCode = await main(process.argv.slice(2));
