// The schema's guards, on copies of the real schema: what breaks users is caught by its name, and what does not passes.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { copySchema, type SchemaCopy } from "./testing/schema-copy.js";

const machine = "proto/arcbox/v1/machine.proto";

let copy: SchemaCopy;

beforeEach(() => {
  copy = copySchema();
});

afterEach(() => copy.remove());

describe("breaking, against the last release", () => {
  test("an untouched schema passes", () => {
    expect(copy.protos("breaking")).toEqual({
      status: 0,
      output: "nothing breaks the last release; not compared with main: this is no git work tree\n",
    });
  });

  test("a field with another number is caught by its name", () => {
    copy.edit(machine, "bool tty = 6;", "bool tty = 60;");
    const { status, output } = copy.protos("breaking");
    expect(status).toBe(1);
    expect(output).toContain("breaks what schema/released.binpb promises");
    expect(output).toMatch(/machine\.proto:\d+:\d+:.*field "6" with name "tty" on message "MachineExecRequest"/);
  });

  test("a field with another name, a lost method and a changed type are caught", () => {
    copy.edit(machine, "bool tty = 6;", "bool terminal = 6;");
    copy.edit(machine, "rpc Stop(", "rpc Halt(");
    copy.edit(machine, "uint32 cpus = 2;", "uint64 cpus = 2;");
    const { status, output } = copy.protos("breaking");
    expect(status).toBe(1);
    expect(output).toMatch(/"tty" to "terminal"/);
    expect(output).toMatch(/RPC "Stop"/);
    expect(output).toMatch(/"cpus".*changed.*from "uint32" to "uint64"/);
  });

  test("a new field, message and method pass", () => {
    copy.edit(
      machine,
      "bool tty = 6;",
      "bool tty = 6;\n  // How wide the terminal is, in columns.\n  uint32 columns = 7;",
    );
    copy.edit(
      machine,
      "rpc Stop(",
      "// Rests.\n  rpc Rest(RestRequest) returns (RestResponse);\n\n  // Ends.\n  rpc Stop(",
    );
    copy.edit(
      machine,
      "message StopMachineRequest {",
      "message RestRequest {}\nmessage RestResponse {}\nmessage StopMachineRequest {",
    );
    expect(copy.protos("breaking").status).toBe(0);
  });

  test("a missing release is a clear fault, and a release that breaks the last one is refused", () => {
    copy.edit(machine, "bool tty = 6;", "bool tty = 60;");
    expect(copy.protos("release").output).toContain('with name "tty"');
    copy.git("init", "--quiet");
    copy.git("clean", "--quiet", "--force", "-x", "schema");
    expect(copy.protos("breaking")).toEqual({
      status: 1,
      output: 'schema/released.binpb is missing; "task release:schema" writes it\n',
    });
    expect(copy.protos("release").status).toBe(0);
    expect(copy.protos("breaking").status).toBe(0);
  });
});

describe("breaking, against the branch main", () => {
  test("what main has and no release yet is guarded too, on a branch and in CI on main", () => {
    const added = "bool tty = 6;\n  // How wide the terminal is, in columns.\n  uint32 columns = 7;";
    copy.git("init", "--quiet", "--initial-branch=main");
    copy.edit(machine, "bool tty = 6;", added);
    copy.git("add", ".");
    copy.git("commit", "--quiet", "--message=Add columns");
    copy.git("switch", "--quiet", "--create", "work");
    expect(copy.protos("breaking").output).toMatch(/^nothing breaks the last release, nor main \([0-9a-f]{12}\)\n$/);

    copy.edit(machine, added, "bool tty = 6;");
    const { status, output } = copy.protos("breaking");
    expect(status).toBe(1);
    expect(output).toMatch(/breaks what main \([0-9a-f]{12}\) has/);
    expect(output).toMatch(/field "7" with name "columns"/);

    copy.git("switch", "--quiet", "main");
    copy.git("commit", "--quiet", "--all", "--message=Take columns out");
    expect(copy.protos("breaking", { CI: "true" }).output).toMatch(
      /the commit before \([0-9a-f]{12}\) has:\n.*"columns"/,
    );
  });
});

describe("lint", () => {
  test("the schema passes, and a field without a comment is named", () => {
    expect(copy.protos("lint").status).toBe(0);
    copy.edit(machine, "bool tty = 6;", "bool tty = 6;\n  uint32 columns = 7;");
    const { status, output } = copy.protos("lint");
    expect(status).toBe(1);
    expect(output).toContain('Field "columns" should have a non-empty comment');
  });
});

test("code for another language without its tools is a clear fault", () => {
  expect(copy.protos("go", { PATH: "" })).toEqual({
    status: 1,
    output: "go was not found; protos:go needs Go 1.25 or newer\n",
  });
});
