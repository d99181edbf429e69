// A variant of main.ts whose guests never exit.
import { commandLine } from "../../cli/command_line.ts";
import { REGISTRY } from "../../commands/registry.ts";
import { openKernel } from "../../host/backend.ts";
import { endlessGuest } from "./endless_guest.ts";

Deno.exit(
  await commandLine(Deno.args, REGISTRY, {
    terminal: () => null,
    announce: () => {},
    openKernel: async (...request) =>
      endlessGuest(await openKernel(...request), Deno.args[0] !== "restore"),
  }),
);
