// Writes docs/results.md anew, from the schemas and frame.md: deno task results
import { PAGE, pageOf, readFrame } from "./page.ts";
import { readSchemas } from "./schemas.ts";

await Deno.writeTextFile(PAGE, pageOf(await readFrame(), await readSchemas()));
