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
  const folder = decodeURIComponent(new URL(".", module).pathname);
  return [
    ...(isGranted({ name: "ffi" }) ? ["--allow-ffi"] : []),
    isGranted({ name: "read" }) ? "--allow-read" : `--allow-read=${path(folder)}`,
    isGranted({ name: "run" }) ? "--allow-run" : `--allow-run=${path(Deno.execPath())}`,
  ];
}

// A comma parts paths, unless it is written twice.
function path(text: string): string {
  return text.replaceAll(",", ",,");
}
