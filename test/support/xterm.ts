// As fast_check.ts: test/deno.lock alone pins its version.
export { default } from "npm:@xterm/headless@6.0.0";
