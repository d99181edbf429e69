// Only tests use it, so it is neither in the import map nor in deno.lock: commands do not fetch it.
// test/deno.lock pins its version.
export { Ajv2020, type ErrorObject, type ValidateFunction } from "npm:ajv@8.20.0/dist/2020.js";
