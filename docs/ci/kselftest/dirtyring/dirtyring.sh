#!/bin/sh
# SPDX-License-Identifier: MIT
# A kselftest: asks the running kernel every statement of KVM's dirty ring. KTAP goes to standard output; the status is
# 0, 1 where something does not hold, 4 where nothing could be asked. DIRTYRING names the program; what follows this
# script's name (KSELFTEST_DIRTYRING_SH_ARGS) goes to `dirtyring check`, such as "--only enable.*".
set -u

dirtyring=${DIRTYRING:-dirtyring}
if ! command -v "$dirtyring" >/dev/null; then
  printf 'KTAP version 1\n1..0 # SKIP no %s on PATH\n' "$dirtyring"
  exit 4
fi

{
  "$dirtyring" check --format ktap "$@"
  echo "status $?"
} | {
  said='' status=1
  while IFS= read -r line; do
    case $line in
      'status '*) status=${line#status } ;;
      *) said=1 && printf '%s\n' "$line" ;;
    esac
  done
  if [ "$status" = 4 ] && [ -z "$said" ]; then
    printf 'KTAP version 1\n1..0 # SKIP nothing could be asked: see above\n'
  fi
  # kselftest takes 2 and 3, here a wrong command line and a kernel that refuses, for results that were expected.
  case $status in 2 | 3) status=1 ;; esac
  exit "$status"
}
