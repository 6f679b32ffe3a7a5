// Tests run on the sources: package names lead to `src`, so that coverage and stack traces show what is written.
import { defineConfig } from "vitest/config";

const root = new URL("./packages/", import.meta.url).pathname;

export default defineConfig({
  resolve: {
    alias: [
      { find: /^@guestwire\/([a-z-]+)$/, replacement: `${root}$1/src/index.ts` },
      { find: /^@guestwire\/([a-z-]+)\/gen\/(.*?)(?:\.js)?$/, replacement: `${root}$1/src/gen/$2.ts` },
      { find: /^@guestwire\/rpc\/transport$/, replacement: `${root}rpc/src/transport.ts` },
      { find: /^@guestwire\/([a-z-]+)\/(.+)$/, replacement: `${root}$1/src/$2/index.ts` },
    ],
  },
  test: {
    include: ["packages/*/{src,test}/**/*.test.ts", "test/**/*.test.ts"],
    // Any process can stall for seconds on a busy machine; a test that waits for an event must outlast that.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Where everything fails there is no need to wait for all of it.
    bail: process.env["CI"] === "true" ? 10 : 0,
    coverage: {
      include: ["packages/{rpc,ttrpc,vsock,grpc,arcbox-frames,health,reflection,otel,connect}/src/**/*.ts"],
      exclude: ["**/*.test*.ts", "**/gen/**", "**/index.ts"],
      reporter: ["text", "text-summary"],
      thresholds: { lines: 95 },
    },
  },
});
