// The whole matrix in one process: `node packages/vsock/test/vm/all.mjs`, inside a VM. Starting Node is what is slow there.
import "./sockets.test.mjs";
import "./ghost.test.mjs";
import "./workers.test.mjs";
import "./ttrpc.test.mjs";
import "./many.test.mjs";
