// Stands in for ffi/other_process.ts and gives no valid answer. The byte to store selects how it
// fails.
import { openLibc } from "../../ffi/libc.ts";

const SIGKILL = 9;
const { byte } = JSON.parse(Deno.args[1]!) as { readonly byte: number };
if (byte === 0) Deno.exit(5); // EIO, were a status an answer
if (byte === 1) throw new TypeError("thrown on purpose");
if (byte === 2) openLibc().raise(SIGKILL);
if (byte === 3) console.log("no number");
if (byte === 4) {
  console.log(0);
  Deno.exit(1);
}
