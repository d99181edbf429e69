// The library from outside: the exports of its entries, the files of its packages, the examples of
// its documentation.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { codeOf } from "../support/imports.ts";
import { bundledImports, manifest } from "../support/npm_package.ts";
import {
  neededFiles,
  packingProblems,
  project,
  publishedFiles,
  reachedFrom,
} from "../support/package.ts";
import { ROOT } from "../support/sources.ts";

Deno.test("a package's entries lead to all of the program, and to nothing of its tests", async () => {
  const needed = await neededFiles(await project());
  const asked = ["mod.ts", "ring/mod.ts", "main.ts", "check_child.ts", "vm_init.ts", "deno.json"];
  asked.push("docs/schemas/run-1.json", "docs/schemas/common-1.json");
  assertEquals(asked.filter((one) => !needed.includes(one)), []);
  assertEquals(packingProblems(needed, []), []);
  for (const file of needed) {
    assert((await Deno.stat(new URL(file, ROOT))).isFile, file);
  }
});

Deno.test("what an entry leads to is found, however it is named", async () => {
  const files: Readonly<Record<string, string>> = {
    "mod.ts": 'export { a } from "./a/a.ts";\nexport type { B } from "./a/b.ts";',
    "a/a.ts": 'import x from "../deno.json" with { type: "json" };\nimport y from "@std/assert";',
    "a/b.ts": 'await import("../c/c.ts");',
    "c/c.ts": 'new Worker(new URL("./worker.ts", import.meta.url));',
    "c/worker.ts": "",
  };
  const read = (path: string) => Promise.resolve(files[path]!);
  const reached = await reachedFrom(["./mod.ts"], read);
  assertEquals(reached, [...Object.keys(files), "deno.json"].sort());
});

Deno.test("a file that is missing from a package is noticed, and one that is none of it", () => {
  const needed = ["main.ts", "README.md"];
  assertEquals(packingProblems(["README.md", "main.ts", "testing.md"], needed), []);
  assertEquals(packingProblems(["main.ts", "test/x_test.ts", "reference/main.ts"], needed), [
    "README.md is missing",
    "test/x_test.ts does not belong into it",
    "reference/main.ts does not belong into it",
  ]);
});

Deno.test("what deno publish would send is read off what it prints", () => {
  const text =
    "Checking for slow types in the public API...\nSimulating publish of @a/b@1 with files:\n" +
    "   file:///a%20b/README.md (40.11KB)\n   file:///a%20b/bin/x (395B)\nSuccess Dry run complete\n";
  assertEquals(publishedFiles(text, "file:///a%20b/"), ["README.md", "bin/x"]);
});

Deno.test("npm's package depends on the launcher's Deno, and brings what the import map names", async () => {
  const text = (name: string) => Deno.readTextFile(new URL(name, ROOT));
  const { importMap, packages } = bundledImports(await text("import_map.json"));
  assertEquals(packages, [{ name: "deno-std", version: "1.4.0" }]);
  const { imports } = JSON.parse(importMap);
  assertEquals(imports["@std/assert"], "./node_modules/deno-std/assert/mod.js");
  assertEquals(importMap.includes("npm:"), false);
  const about = await project();
  const launcher = await text("bin/dirtyring");
  const packed = JSON.parse(manifest(about, launcher, packages));
  assertEquals(packed.bin, { dirtyring: "bin/dirtyring" });
  assertEquals(packed.dependencies, { "@deno/linux-x64-glibc": "2.9.6", "deno-std": "1.4.0" });
  assertEquals(packed.bundleDependencies, ["deno-std"]);
  // No script of npm's is needed, nor a package that has one.
  assertEquals(packed.scripts, undefined);
  assertThrows(() => manifest(about, launcher.replace(/^wanted=/m, "want="), packages), Error);
});

Deno.test("an import map that a package cannot bring is refused", () => {
  const of = (target: string) => bundledImports(JSON.stringify({ imports: { a: target } }));
  assertEquals(of("npm:@a/b@1.2.3/c/d.js").packages, [{ name: "@a/b", version: "1.2.3" }]);
  for (const target of ["npm:a@1.2.3", "npm:a@^1.2.3/b.js", "npm:a/b.js", "jsr:@a/b@1.2.3/c"]) {
    assertThrows(
      () => of(target),
      Error,
      `import_map.json: ${target} is not npm:NAME@VERSION/FILE`,
    );
  }
});

/** What stands in an entry beside its list of what it hands on. */
function besideExports(text: string): string {
  return codeOf(text).replace(/^export (?:type )?\{[\w\s,]+\} from "\.[^"]+";$/gm, "").trim();
}

Deno.test("an entry of the library hands on by name what others export", async () => {
  const { exports } = await project();
  const entries = Object.values(exports).filter((one) => one !== "./main.ts");
  assertEquals(entries.length, 7);
  for (const entry of entries) {
    const text = await Deno.readTextFile(new URL(entry, ROOT));
    assertEquals(besideExports(text), "", entry);
    assertEquals(text.match(/\n \* ```ts\n/g)?.length, 1, entry);
    assert(text.includes("\n * @module\n */"), entry);
  }
  assertEquals(besideExports('export * from "./a.ts";'), 'export * from "./a.ts";');
  assertEquals(besideExports('export { a, type B } from "./a.ts";\nconst c = 1;'), "const c = 1;");
});

Deno.test("each code block of docs/library.md is one that the tests run", async () => {
  const text = await Deno.readTextFile(new URL("../../docs/library.md", import.meta.url));
  const fences = text.match(/^```.*$/gm)!;
  assertEquals(fences, ["```ts", "```", "```ts", "```"]);
  const task = await Deno.readTextFile(new URL("../run.ts", import.meta.url));
  assert(task.includes('["--ignore=test"]')); // all of the project's documentation, Markdown too
});
