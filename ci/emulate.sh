#!/usr/bin/env bash
# Runs a program on all emulated CPUs in parallel, and prints their outputs one after the other. ci/aarch64.sh and
# ci/cpus.sh configure it as cargo's runner.
#
#   ci/emulate.sh PROGRAM [ARGUMENT...]
#
# EMULATOR          the emulator and its options
# EMULATED_CPUS     the CPUs, with the emulator's names
# EMULATED_COMMAND  the executable of the command `harness`, which tests start as a child process, if the system cannot
#                   run it without the emulator; otherwise empty
# FILES_LEFT_OUT    test files that are not run, as folder/file
#
# Exit code 0: it succeeded on every CPU. 1: it failed on one.

set -euo pipefail
# Environment variables cannot be arrays, so these are lists of words.
read -ra EMULATOR <<<"$EMULATOR"
read -ra EMULATED_CPUS <<<"$EMULATED_CPUS"

# The kernel cannot start a child process for another architecture, so a script replaces the command. Cargo restores its
# file after checking it, and calls this script afterwards. The file has a second hard link, so it is renamed and not
# overwritten.
readonly ELF=$EMULATED_COMMAND.elf
if [[ -n $EMULATED_COMMAND ]] && ! head -c 2 "$EMULATED_COMMAND" | grep -q '#!'; then
    rm -f "$ELF"
    mv "$EMULATED_COMMAND" "$ELF"
    printf '#!/bin/sh\nexec %s "%s" "$@"\n' "${EMULATOR[*]}" "$ELF" >"$EMULATED_COMMAND"
    chmod +x "$EMULATED_COMMAND"
fi

PROGRAM=$1
NAME=${PROGRAM##*/}
shift
if [[ $PROGRAM == "$EMULATED_COMMAND" ]]; then
    PROGRAM=$ELF
fi
# Cargo runs a test in the folder of its package. The program is named after the test file, with a hash.
for left_out in $FILES_LEFT_OUT; do
    if [[ ${PWD##*/}/${NAME%-*} == "$left_out" ]]; then
        exit 0
    fi
done

OUTPUTS=$(mktemp -d)
trap 'rm -rf "$OUTPUTS"' EXIT
TIMEFORMAT='%U s of processor time'
PROCESSES=()
for cpu in "${EMULATED_CPUS[@]}"; do
    export QEMU_CPU=$cpu
    { time "${EMULATOR[@]}" "$PROGRAM" "$@"; } >"$OUTPUTS/$cpu" 2>&1 &
    PROCESSES+=($!)
done
STATUS=0
for i in "${!EMULATED_CPUS[@]}"; do
    verdict=
    wait "${PROCESSES[i]}" || verdict=" failed with $?" STATUS=1
    echo "-- ${EMULATED_CPUS[i]}: $NAME$verdict"
    cat "$OUTPUTS/${EMULATED_CPUS[i]}"
done
exit $STATUS
