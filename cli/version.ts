import project from "../deno.json" with { type: "json" };

/** The version, as deno.json has it. */
export const VERSION: string = project.version;
