// `dirtyring` whose guests never exit.
import { openKernel } from "../../lab/backend.ts";
import { commandLine } from "../../main.ts";
import { endlessGuest } from "./endless_guest.ts";

Deno.exit(
  await commandLine(Deno.args, {
    terminal: () => null,
    announce: () => {},
    openKernel: async (...request) =>
      endlessGuest(await openKernel(...request), !Deno.args.includes("--restore")),
  }),
);
