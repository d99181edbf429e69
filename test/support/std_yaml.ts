// Only tests use it, so it is not in the import map, which names what commands need.
export { parse } from "npm:deno-std@1.4.0/yaml/parse.js";
