// Tells its parent what listening in a worker of node:cluster says. Run by listen.test.ts.
import cluster from "node:cluster";
import { listen } from "../../dist/index.js";

if (cluster.isPrimary) {
  cluster.fork().on("message", (message) => {
    process.send(message);
    process.disconnect();
  });
} else {
  listen({ port: 1024 }).catch((error) => process.send(error.message, () => process.exit()));
}
