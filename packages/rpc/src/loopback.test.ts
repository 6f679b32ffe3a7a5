// Which targets stay on this machine, by their text alone.
import { expect, test } from "vitest";
import { leavesMachine } from "./loopback.js";

test.each([
  "unix:///run/a.sock",
  "unix:@name",
  "vsock://3:1024",
  "hvsock:///run/vm.sock:52",
  "fd://3",
  "in-process:",
  "duplex:",
  "tcp://127.0.0.1:80",
  "tcp://127.8.9.1:80",
  "tcp://[::1]:80",
  "tcp://[::ffff:127.0.0.1]:80",
  "tcp://localhost:80",
  "tcp://LocalHost:80",
  "dns:///localhost:80",
  "dns:localhost:80",
  "ipv4:127.0.0.1:80",
  "ipv6:[::1]:80",
  "tcp://127.0.0.1:1,unix:///a",
])("%s stays", (target) => {
  expect(leavesMachine(target)).toBe(false);
});

test.each([
  "tcp://10.0.0.1:80",
  "tcp://[fe80::1]:80",
  "tcp://localhost.example:80",
  "tcp://127.0.0.1.example:80",
  "tcp://127.1:80",
  "tcp://0.0.0.0:80",
  "dns:///api.example:443",
  // Another name server may say anything about this name.
  "dns://8.8.8.8/localhost:80",
  "ipv4:127.0.0.1:80,10.0.0.1:80",
  "xds:///localhost",
  "unix:///a,tcp://10.0.0.1:1",
  "pool",
  "",
])("%s may leave", (target) => {
  expect(leavesMachine(target)).toBe(true);
});
