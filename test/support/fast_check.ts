// For tests alone, and so neither in the import map nor in deno.lock: who runs a command fetches no more
// than the command needs. test/deno.lock pins it.
export { default } from "npm:fast-check@4.10.2";
