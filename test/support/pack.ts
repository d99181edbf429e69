// `deno task pack`: makes the packages of this program, but does not publish them. It needs no
// network, once Deno has fetched what import_map.json names. `deno publish --dry-run` checks what
// would go to JSR, including slow types. `npm pack` makes a tarball of the same files and of what
// npm_package.ts adds, in a temporary folder: a package.json in the checkout would change how Deno
// resolves there. Both packages must contain every file that an entry of deno.json's exports leads
// to, and no file that is only for this checkout. `deno task pack FOLDER` leaves the tarball there.
import { bundle, bundledImports, commit, manifest } from "./npm_package.ts";
import { neededFiles, packingProblems, type Project, project, publishedFiles } from "./package.ts";

const ROOT = new URL("../..", import.meta.url);

/** What npm puts into the tarball because package.json bundles it. */
const BUNDLED = /^node_modules\//;

/** What `npm pack --json` reports about a tarball. */
interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
}

async function run(command: string, args: readonly string[], cwd: URL | string) {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    cwd,
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

async function publish(): Promise<readonly string[]> {
  // Types are checked by `deno task check`.
  const args = ["publish", "--dry-run", "--allow-dirty", "--no-check"];
  const { code, stdout, stderr } = await run(Deno.execPath(), args, ROOT);
  if (code !== 0) throw new Error(`deno publish ended with ${code}:\n${stderr}${stdout}`);
  return publishedFiles(stderr + stdout, ROOT.href);
}

async function npmPack(
  about: Project,
  files: readonly string[],
  madeOf: string | null,
  keepIn: string | undefined,
): Promise<Packed | null> {
  const folder = await Deno.makeTempDir({ prefix: "dirtyring-pack-" });
  try {
    for (const file of files) {
      const to = `${folder}/package/${file}`;
      await Deno.mkdir(to.slice(0, to.lastIndexOf("/")), { recursive: true });
      await Deno.copyFile(new URL(file, ROOT), to);
    }
    const text = (file: string) => Deno.readTextFile(new URL(file, ROOT));
    const { importMap, packages } = bundledImports(await text("import_map.json"));
    const made = {
      "package.json": manifest(about, await text("bin/dirtyring"), packages),
      "import_map.json": importMap,
      ...(madeOf === null ? {} : { COMMIT: `${madeOf}\n` }),
    };
    for (const [file, content] of Object.entries(made)) {
      await Deno.writeTextFile(`${folder}/package/${file}`, content);
    }
    await bundle(packages, `${folder}/package/node_modules`);
    const destination = keepIn ?? folder;
    const args = ["pack", "--json", "--ignore-scripts", "--offline"];
    args.push(`--pack-destination=${destination}`);
    const { code, stdout, stderr } = await run("npm", args, `${folder}/package`);
    if (code !== 0) throw new Error(`npm pack ended with ${code}:\n${stderr}`);
    const [packed]: Packed[] = JSON.parse(stdout);
    await Deno.stat(`${destination}/${packed!.filename}`);
    return packed!;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound && error.message.includes("'npm'")) return null;
    throw error;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const [destination] = Deno.args;
  const keepIn = destination === undefined ? undefined : await Deno.realPath(destination);
  const about = await project();
  const needed = await neededFiles(about);
  const published = await publish();
  const problems = packingProblems(published, needed).map((one) => `deno publish: ${one}`);
  console.log(`deno publish: ${published.length} files of ${about.name}@${about.version}`);
  const madeOf = await commit();
  const packed = await npmPack(about, published, madeOf, keepIn);
  if (packed === null) console.log("npm pack: skipped, there is no npm on PATH");
  else {
    const list = packed.files.map(({ path }) => path).filter((path) => !BUNDLED.test(path));
    const bundled = packed.files.length - list.length;
    const launcher = packed.files.find(({ path }) => path === "bin/dirtyring");
    problems.push(
      ...packingProblems(list, ["package.json", ...needed]).map((one) => `npm pack: ${one}`),
      ...((launcher?.mode ?? 0) & 0o111 ? [] : ["npm pack: bin/dirtyring cannot be executed"]),
    );
    const of = madeOf ?? "left out: no git, or files differ from the commit";
    console.log(`npm pack: ${list.length} files and ${bundled} bundled in ${packed.filename}`);
    console.log(`npm pack: COMMIT: ${of}`);
  }
  for (const problem of problems) console.error(problem);
  Deno.exit(problems.length === 0 ? 0 : 1);
}
