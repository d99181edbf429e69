// Compares this program's numbers with a C compiler's.
import { assertEquals } from "@std/assert";
import { Folder } from "./folder.ts";

/**
 * Compiles and runs a C program that prints a line for each number: its name, the compiler's value
 * and ours. Asserts that the two are equal.
 *
 * @returns The lines.
 */
export async function comparedByC(text: string): Promise<string[]> {
  await using folder = await Folder.make();
  const source = await folder.write("program.c", text);
  const program = `${folder.path}/program`;
  const build = await new Deno.Command("cc", { args: ["-o", program, source] }).output();
  assertEquals(build.success, true, new TextDecoder().decode(build.stderr));
  const { stdout } = await new Deno.Command(program).output();
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  for (const line of lines) {
    const [name, inC, ours] = line.split(" ");
    assertEquals(ours, inC, name);
  }
  return lines;
}
