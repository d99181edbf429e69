// A program of its own: makes one ioctl on a file that it inherited, and ends with its errno as status.
import { openLibc } from "./libc.ts";

if (import.meta.main) {
  const [fd, request] = Deno.args.map(Number);
  if (fd === undefined || request === undefined) throw new TypeError("expected FD REQUEST");
  const answer = openLibc().ioctl(fd, request, 0);
  Deno.exitCode = answer < 0 ? -answer : 0;
}
