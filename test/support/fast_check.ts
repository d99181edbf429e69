// Only tests use it, so it is neither in the import map nor in deno.lock: commands do not fetch it.
// test/deno.lock pins its version.
export { default } from "npm:fast-check@4.10.2";
