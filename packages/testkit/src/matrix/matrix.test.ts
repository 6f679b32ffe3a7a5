// Every real peer through every case, and the page that says so.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { matrices } from "./matrices.js";
import { casesOf, documentMatrix, type OpenPeer, peerLabel } from "./matrix.js";

describe.each(matrices)("$title", (matrix) => {
  describe.each(matrix.peers.map((peer) => ({ peer, label: peerLabel(peer) })))("$label", async ({ peer }) => {
    let open: OpenPeer | undefined;
    beforeAll(async () => {
      open = await peer.open();
    }, 600_000);
    afterAll(() => open?.[Symbol.asyncDispose]());

    // Where the peer cannot be had there is nothing to run; why was printed.
    test.for(casesOf(matrix, peer))("%s", async (name, context) => {
      if (open === undefined) context.skip();
      else await open.run(name);
    });
  });

  test("the page has the table", () => {
    const page = readFileSync(new URL("../../../../docs/peers.md", import.meta.url), "utf8");
    expect(page).toContain(documentMatrix(matrix).all);
  });
});
