/** Milliseconds between two harvests of all rings, unless `--interval` says otherwise. */
export const INTERVAL_MS = 10;
/** Milliseconds that the stores of a live run may take, unless `--timeout` says otherwise. */
export const TIMEOUT_MS = 60_000;
/** Milliseconds that a live run takes, unless `--duration` or `--stores` says otherwise. */
export const DURATION_MS = 5000;
