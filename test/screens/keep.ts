// Keeps the screens of the cases anew, or of those that are named: look at each of them.
import { screens } from "./screens.ts";

if (import.meta.main) {
  for await (
    const { name, kept, torn, different } of screens(Deno.args.length > 0 ? Deno.args : undefined)
  ) {
    await Deno.writeTextFile(new URL(`${name}.txt`, import.meta.url), kept);
    for (const line of torn) console.log(`${name}: does not fit: ${line}`);
    if (different.length > 0) {
      console.log(`${name}: differs without colours at ${different.join(", ")} columns`);
    }
  }
}
