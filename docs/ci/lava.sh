#!/bin/sh
# Runs `dirtyring check` on the device under test, and tells LAVA each statement as a test case, and the run as one more.
# The arguments go to `dirtyring check`; DIRTYRING names the program. The KTAP stays in the log.
set -u

{
  "${DIRTYRING:-dirtyring}" check --format ktap "$@"
  echo "status $?"
} | {
  status=1
  while IFS= read -r line; do
    case $line in
      'status '*)
        status=${line#status }
        break
        ;;
    esac
    printf '%s\n' "$line"
    # "  ok 3 enable.bytes", "  not ok 3 enable.bytes", "  ok 3 enable.bytes # SKIP why"; a group's name has no dot.
    result=$(printf '%s\n' "$line" |
      sed -n 's/^ *\(\(not \)\{0,1\}ok\) [0-9]\{1,\} \([a-z0-9-]\{1,\}\.[a-z0-9.-]\{1,\}\)\( # SKIP\)\{0,1\}.*/\3:\1\4/p')
    case $result in
      '') ;;
      *' # SKIP') lava-test-case "${result%%:*}" --result skip ;;
      *:ok) lava-test-case "${result%%:*}" --result pass ;;
      *) lava-test-case "${result%%:*}" --result fail ;;
    esac
  done
  case $status in
    0) result=pass ;;
    4) result=skip ;; # nothing could be asked: no KVM, or none that may be used
    *) result=fail ;;
  esac
  lava-test-case dirtyring-check --result "$result"
}
