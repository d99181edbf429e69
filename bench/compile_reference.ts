import { Skip } from "./skip.ts";

const SOURCES = [
  "reference.c",
  "reference_vm.c",
  "reference_live.c",
  "reference_live_vcpu.c",
] as const;

/**
 * Compiles the C reference with the system's compiler.
 *
 * @param folder An existing folder that the library goes into.
 * @returns The library's path.
 * @throws {Skip} Where there is no compiler, or it does not manage: most often headers are missing.
 */
export async function compileReference(folder: string): Promise<string> {
  const library = `${folder}/reference.so`;
  const sources = SOURCES.map((name) => `${import.meta.dirname}/${name}`);
  const flags = [
    "-O2",
    "-std=gnu11",
    "-Wall",
    "-Wextra",
    "-fPIC",
    "-fvisibility=hidden",
    "-shared",
    "-pthread",
  ];
  const command = new Deno.Command("cc", { args: [...flags, "-o", library, ...sources] });
  let output: Deno.CommandOutput;
  try {
    output = await command.output();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new Skip("no C compiler (cc) on PATH");
    throw error;
  }
  if (output.success) return library;
  const line = new TextDecoder().decode(output.stderr).split("\n").find((text) =>
    text.includes("error")
  );
  throw new Skip(`cc cannot compile the reference: ${line ?? "no reason given"}`);
}
