import { UsageError } from "../lab/usage_error.ts";

/**
 * A kernel that is not there, or is another file: what a commit did not build. For `git bisect run` that says nothing
 * about the kernel, where another wrong command line would be wrong for each commit.
 */
export class KernelFileError extends UsageError {}
