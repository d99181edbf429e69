/**
 * The permissions of a process that makes checks: no more than this process has. It loads the program's
 * own files, calls libc where this process may, and one check starts a process of its own.
 *
 * @param module Its program, in the program's folder.
 * @returns Options of `deno run`.
 */
export function childPermissions(module: URL): string[] {
  const isGranted = (descriptor: Deno.PermissionDescriptor) =>
    Deno.permissions.querySync(descriptor).state === "granted";
  // A path with a comma cannot be named to Deno, and so was not named to this process either.
  const folder = decodeURIComponent(new URL(".", module).pathname);
  return [
    ...(isGranted({ name: "ffi" }) ? ["--allow-ffi"] : []),
    isGranted({ name: "read" }) ? "--allow-read" : `--allow-read=${folder}`,
    isGranted({ name: "run" }) ? "--allow-run" : `--allow-run=${Deno.execPath()}`,
  ];
}
