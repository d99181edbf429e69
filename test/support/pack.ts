// `deno task pack`: makes the packages of this program, but does not publish them. It needs no
// network. `deno publish --dry-run` checks what would go to JSR, including slow types. `npm pack`
// makes a tarball of the same files and a package.json, in a temporary folder: a package.json in
// the checkout would change how Deno resolves there. Both packages must contain every file that an
// entry of deno.json's exports leads to, and no file that is only for this checkout.
// `deno task pack FOLDER` leaves the tarball there.
import { neededFiles, packingProblems, type Project, project, publishedFiles } from "./package.ts";

const ROOT = new URL("../..", import.meta.url);

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

// The package.json. It has no list of files: all files of the folder go into the tarball.
function manifest({ name, version, license }: Project): string {
  const description = "A laboratory for KVM's dirty ring";
  const packed = { name, version, description, license, type: "module", os: ["linux"] };
  return `${JSON.stringify(packed, null, 2)}\n`;
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
  keepIn: string | undefined,
): Promise<Packed | null> {
  const folder = await Deno.makeTempDir({ prefix: "dirtyring-pack-" });
  try {
    for (const file of files) {
      const to = `${folder}/package/${file}`;
      await Deno.mkdir(to.slice(0, to.lastIndexOf("/")), { recursive: true });
      await Deno.copyFile(new URL(file, ROOT), to);
    }
    await Deno.writeTextFile(`${folder}/package/package.json`, manifest(about));
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
  const packed = await npmPack(about, published, keepIn);
  if (packed === null) console.log("npm pack: skipped, there is no npm on PATH");
  else {
    const list = packed.files.map(({ path }) => path);
    const launcher = packed.files.find(({ path }) => path === "bin/dirtyring");
    problems.push(
      ...packingProblems(list, ["package.json", ...needed]).map((one) => `npm pack: ${one}`),
      ...((launcher?.mode ?? 0) & 0o111 ? [] : ["npm pack: bin/dirtyring cannot be executed"]),
    );
    console.log(`npm pack: ${list.length} files in ${packed.filename}`);
  }
  for (const problem of problems) console.error(problem);
  Deno.exit(problems.length === 0 ? 0 : 1);
}
